"""All 23 actions of SQS through boto3, against a running endpoint.

    python boto3_client.py --endpoint http://127.0.0.1:9324

Prints a line per action and ends with 1 if anything is not as expected. Queues are named anew on every run, so that
one endpoint serves many runs; it has to keep SQS's cooldowns (not be started with --no-cooldowns). Older versions of
boto3 speak the query protocol, and what their models lack is left out.
"""

import argparse
import sys
import traceback

import boto3
import botocore

import boto3_queues  # the checks register themselves
import boto3_messages
from boto3_door import ACTIONS, Door


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--endpoint", default="http://127.0.0.1:9324")
    arguments.add_argument("--region", default="us-east-1")
    arguments.add_argument("--key", default="000000000000", help="access key; one of 12 digits names the account")
    arguments = arguments.parse_args()
    door = Door(arguments.endpoint.rstrip("/"), arguments.region, arguments.key)
    print(f"boto3 {boto3.__version__}, botocore {botocore.__version__}, {door.protocol} protocol")
    failed = 0
    for name, drive in ACTIONS:
        try:
            drive(door)
            print(f"ok      {name}")
        except Exception:
            failed += 1
            print(f"FAILED  {name}")
            traceback.print_exc()
    modelled = set(door.sqs.meta.service_model.operation_names)
    missing = modelled - {name for name, _ in ACTIONS}
    print(f"{len(modelled)} actions in the model, not driven: {sorted(missing) or 'none'}; {failed} failed")
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
