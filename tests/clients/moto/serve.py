"""moto's server on a free port, with its SQS actions carried out one at a time; prints its URL.

moto answers each request in a thread of its own and has no lock around its messages. Two receives at a time may bring
one message twice, and of two deletes at a time one may be undone. A long poll does not see which message groups others
have taken since it began, so two of them at a time break the order of a group. The locks here keep all that apart; what
the actions do is moto's.
"""

import functools
import threading
import time

from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from moto.sqs.models import Queue, SQSBackend

ACTION = threading.RLock()
FIFO_RECEIVES = {}


def one_at_a_time(action):
    @functools.wraps(action)
    def locked(*arguments, **named):
        with ACTION:
            return action(*arguments, **named)

    return locked


def receive_message(self, queue_name, *arguments, **named):
    if not queue_name.endswith(".fifo"):
        return receive(self, queue_name, *arguments, **named)
    with ACTION:
        turn = FIFO_RECEIVES.setdefault(queue_name, threading.Lock())
    with turn:
        return receive(self, queue_name, *arguments, **named)


def wait_for_messages(self, timeout):
    # moto holds the lock once here. Its own wait ends at once, and takes a processor, if only messages of groups that
    # are taken are there.
    ACTION.release()
    try:
        time.sleep(0.01)
    finally:
        ACTION.acquire()


for name, action in list(vars(SQSBackend).items()):
    if not name.startswith("_") and callable(action):
        setattr(SQSBackend, name, one_at_a_time(action))
receive = SQSBackend.receive_message
SQSBackend.receive_message = receive_message
Queue.wait_for_messages = wait_for_messages

if __name__ == "__main__":
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)
    threading.Event().wait()
