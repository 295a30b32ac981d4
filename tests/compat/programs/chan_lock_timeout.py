"""Waiting for a lock longer than the timeout is a TimeoutError."""

import threading

from graflow.channels.memory_channel import MemoryChannel

channel = MemoryChannel("mine")
held, done = threading.Event(), threading.Event()


def hold():
    with channel.lock("k"):
        held.set()
        done.wait(10)


thread = threading.Thread(target=hold)
thread.start()
held.wait()
try:
    with channel.lock("k", timeout=0.1):
        print("got it")
except TimeoutError as error:
    print(error)
with channel.lock("other", timeout=0.1):
    print("another key is free")
done.set()
thread.join()
