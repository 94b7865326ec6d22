"""Makes calls with grpcio. Arguments, as JSON: the target, a PEM certificate or null, the scenario, its arguments.

Prints the outcome as JSON. Messages are bytes, so nothing has to be generated.
"""

import json
import queue
import sys
import threading

import grpc

PATIENCE = 60
UNLIMITED = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    # A Unix socket has none of its own.
    ("grpc.default_authority", "localhost"),
]


def metadata(pairs):
    """Metadata as JSON: binary values in hexadecimal, without what the library adds."""
    return [
        [key, value.hex() if isinstance(value, bytes) else value]
        for key, value in pairs or ()
        if key.startswith("x-")
    ]


def outcome(call):
    """How a call ended."""
    return {"code": call.code().name, "details": call.details()}


def unary(channel, method, message, **options):
    try:
        response, call = channel.unary_unary(method).with_call(message.encode(), timeout=PATIENCE, **options)
    except grpc.RpcError as error:
        return outcome(error)
    return {"message": response.decode(), **outcome(call)}


def client_streaming(channel, method, messages):
    requests = (message.encode() for message in messages)
    response, call = channel.stream_unary(method).with_call(requests, timeout=PATIENCE)
    return {"message": response.decode(), **outcome(call)}


def server_streaming(channel, method, message):
    call = channel.unary_stream(method)(message.encode(), timeout=PATIENCE)
    return {"messages": [response.decode() for response in call], **outcome(call)}


def bidirectional(channel, method, messages):
    """Sends each message only after the response to the one before it."""
    requests = queue.SimpleQueue()
    call = channel.stream_stream(method)(iter(requests.get, None), timeout=PATIENCE)
    received = []
    try:
        for message in messages:
            requests.put(message.encode())
            received.append(next(call).decode())
        requests.put(None)
        received.extend(response.decode() for response in call)
    except grpc.RpcError:
        requests.put(None)
    return {"messages": received, **outcome(call)}


def mirror(channel):
    """Metadata both ways."""
    sent = [("x-text", "one"), ("x-text", "two"), ("x-data-bin", bytes(range(256)))]
    call = channel.unary_unary("/Test/Mirror")
    response, call = call.with_call(b"", metadata=sent, timeout=PATIENCE)
    initial, trailing = call.initial_metadata(), call.trailing_metadata()
    return {"timeout": response.decode(), "initial": metadata(initial), "trailing": metadata(trailing)}


def deadline(channel, method, seconds):
    """A call that takes longer than it may, on a channel that is connected."""
    grpc.channel_ready_future(channel).result(PATIENCE)
    call = channel.stream_stream(method)(iter(queue.SimpleQueue().get, None), timeout=seconds)
    try:
        for _ in call:
            pass
    except grpc.RpcError as error:
        return outcome(error)
    return outcome(call)


def cancel(channel, method, responses):
    """A call that is cancelled after its head and so many responses have come."""
    requests = queue.SimpleQueue()
    call = channel.stream_stream(method)(iter(requests.get, None), timeout=PATIENCE)
    requests.put(b"first")
    call.initial_metadata()
    for _ in range(responses):
        next(call)
    call.cancel()
    requests.put(None)
    return {"code": call.code().name}


def large(channel, size):
    """One large message in each direction, and one in both."""
    sent, received = unary(channel, "/Test/Size", "x" * size), unary(channel, "/Test/Bytes", str(size))
    both = unary(channel, "/Test/Echo", "x" * size)
    return {"sent": sent["message"], "received": len(received["message"]), "both": len(both["message"])}


def concurrent(channel, method, count):
    """Calls that are all open at once: none ends before each has had a response."""
    together = threading.Barrier(count)

    def converse(number):
        requests = queue.SimpleQueue()
        call = channel.stream_stream(method)(iter(requests.get, None), timeout=PATIENCE)
        requests.put(str(number).encode())
        first = next(call).decode()
        together.wait(PATIENCE)
        requests.put(None)
        return [first, len(list(call)), call.code().name]

    return in_threads(count, converse)


def burst(channel, method, count):
    """Unary calls that are made at once."""
    return in_threads(count, lambda number: unary(channel, method, str(number)))


def in_threads(count, work):
    results = [None] * count

    def run(number):
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def main():
    target, certificate, scenario, *arguments = map(json.loads, sys.argv[1:])
    if certificate:
        credentials = grpc.ssl_channel_credentials(certificate.encode())
        channel = grpc.secure_channel(target, credentials, UNLIMITED)
    else:
        channel = grpc.insecure_channel(target, UNLIMITED)
    with channel:
        print(json.dumps(globals()[scenario](channel, *arguments)))


if __name__ == "__main__":
    main()
