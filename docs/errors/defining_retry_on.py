"""`retry_on` is no exception class.

Name the class itself, several in a tuple, or a function that is given the exception.
"""

from graflow_fast import RetryPolicy

RetryPolicy(max_retries=3, retry_on="ConnectionError")
