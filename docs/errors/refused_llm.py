"""LLM injection.

It is lent by an installed `graflow`.
"""

from graflow_fast import task


@task(inject_llm_client=True)
def summarize(llm, text):
    return llm.completion(text)
