"""A module that is not here.

The message says where it is to be had.
"""

from graflow_fast.llm.client import LLMClient

LLMClient()
