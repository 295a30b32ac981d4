"""What tests of maps share: how a workflow is run, and a body."""


def run(wf, executor, **options):
    return wf.execute(executor=executor, max_workers=2, ret_context=True, **options)


def double(x):
    return x * 2
