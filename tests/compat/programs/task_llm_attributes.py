"""A task without LLM injection says so."""

from graflow.core.decorators import task


@task
def plain():
    pass


print(plain.inject_llm_client, plain.inject_llm_agent)
