"""Runs the cases of the Autobahn test suite against an echo of WebSockets, and prints what became of each as JSON.

Arguments, each of JSON: the URL, and globs of cases to leave out. The original suite needs Python 2.7; kosoku has a
runner of its own for its cases.
"""

import asyncio
import json
import os
import sys

from kosoku import FailureError, run_fuzzingclient

GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}
# Milliseconds that the strictest case gives the server to answer: what goes wrong sooner has another reason.
GIVEN = 500
# A busy machine may hold up the server for longer than that, but not in the same case again and again.
TRIES = 3


async def run(url, **selection):
    try:
        results = await run_fuzzingclient(url, **selection)
    except FailureError as failure:
        results = failure.results
    return {result.case_id: result for result in results}


def is_late(result):
    return result.duration >= GIVEN and not {result.behavior.value, result.behavior_close.value} <= GOOD


async def run_patiently(url, exclude):
    results = await run(url, exclude_cases=exclude)
    for _ in range(1, TRIES):
        late = [case for case, result in results.items() if is_late(result)]
        if late:
            results |= await run(url, cases=late)
    return results


url, exclude = map(json.loads, sys.argv[1:])
results = asyncio.run(run_patiently(url, exclude))
told = {case: [result.behavior.value, result.behavior_close.value] for case, result in results.items()}
print(json.dumps(told), flush=True)
# The runner's threads do not always survive the end of the interpreter.
os._exit(0)
