"""Runs the cases of the Autobahn test suite against an echo of WebSockets, and prints what became of each as JSON.

Arguments, each of JSON: the URL, and globs of cases to leave out. The original suite needs Python 2.7; kosoku has a
runner of its own for its cases.
"""

import asyncio
import json
import os
import sys

from kosoku import FailureError, run_fuzzingclient


async def run(url, exclude):
    try:
        return await run_fuzzingclient(url, exclude_cases=exclude)
    except FailureError as failure:
        return failure.results


url, exclude = map(json.loads, sys.argv[1:])
results = asyncio.run(run(url, exclude))
told = {result.case_id: [result.behavior.value, result.behavior_close.value] for result in results}
print(json.dumps(told), flush=True)
# The runner's threads do not always survive the end of the interpreter.
os._exit(0)
