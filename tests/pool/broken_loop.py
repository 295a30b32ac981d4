"""A worker loop for tests, which fails before it asks for a task."""


def run(link):
    raise TypeError("the loop of another version")
