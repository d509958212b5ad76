"""Queues, what is set on them, and what happens between them."""

import json
import threading
import time
import urllib.request

from botocore.exceptions import ClientError

from boto3_door import RUN, action, equal


@action("CreateQueue")
def create_queue(door):
    sqs, name = door.sqs, f"{RUN}-created"
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "45"}, tags={"team": "a", "empty": ""})
    url = url["QueueUrl"]
    assert url.startswith(door.endpoint + f"/{door.region}/") and url.endswith("/" + name), url
    equal(sqs.create_queue(QueueName=name)["QueueUrl"], url)
    equal(sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "45"})["QueueUrl"], url)
    door.refuses(
        "QueueNameExists",
        sqs.create_queue,
        "A queue already exists with the same name and a different value for attribute VisibilityTimeout",
        QueueName=name,
        Attributes={"VisibilityTimeout": "46"},
    )
    door.refuses("InvalidParameterValue", sqs.create_queue, QueueName="no spaces")
    door.refuses(
        "InvalidAttributeName",
        sqs.create_queue,
        "Unknown Attribute Colour.",
        QueueName=f"{RUN}-x",
        Attributes={"Colour": "red"},
    )
    door.refuses(
        "InvalidAttributeValue",
        sqs.create_queue,
        "Invalid value for the parameter DelaySeconds.",
        QueueName=f"{RUN}-x",
        Attributes={"DelaySeconds": "901"},
    )
    assert door.queue("created", fifo=True).endswith("-created.fifo")


@action("GetQueueUrl")
def get_queue_url(door):
    url = door.queue("url")
    equal(door.sqs.get_queue_url(QueueName=f"{RUN}-url")["QueueUrl"], url)
    owner = url.split("/")[-2]
    equal(door.sqs.get_queue_url(QueueName=f"{RUN}-url", QueueOwnerAWSAccountId=owner)["QueueUrl"], url)
    door.refuses("QueueDoesNotExist", door.sqs.get_queue_url, QueueName=f"{RUN}-none")
    text = "The specified queue does not exist."
    if door.protocol == "query":
        text = "The specified queue does not exist for this wsdl version."
    door.refuses(
        "QueueDoesNotExist", door.sqs.get_queue_url, text, QueueName=f"{RUN}-url", QueueOwnerAWSAccountId="999999999999"
    )


@action("ListQueues")
def list_queues(door):
    names = [f"{RUN}-list-{number}" for number in range(5)]
    urls = [door.queue(f"list-{number}") for number in range(5)]
    found = door.sqs.list_queues(QueueNamePrefix=f"{RUN}-list-")
    equal([url.rsplit("/", 1)[1] for url in found["QueueUrls"]], names)
    assert "NextToken" not in found
    pages = list(
        door.sqs.get_paginator("list_queues").paginate(QueueNamePrefix=f"{RUN}-list-", PaginationConfig={"PageSize": 2})
    )
    equal([len(page["QueueUrls"]) for page in pages], [2, 2, 1])
    equal([url for page in pages for url in page["QueueUrls"]], urls)
    assert "QueueUrls" not in door.sqs.list_queues(QueueNamePrefix=f"{RUN}-nothing")
    door.refuses("InvalidParameterValue", door.sqs.list_queues, MaxResults=1001)
    door.refuses("InvalidParameterValue", door.sqs.list_queues, MaxResults=2, NextToken="forged")


@action("GetQueueAttributes")
def get_queue_attributes(door):
    url = door.queue("attributes", VisibilityTimeout="7")
    everything = door.attributes(url)
    equal(everything["VisibilityTimeout"], "7")
    equal(everything["ApproximateNumberOfMessages"], "0")
    equal(everything["QueueArn"], f"arn:aws:sqs:{door.region}:{url.split('/')[-2]}:{RUN}-attributes")
    assert abs(int(everything["CreatedTimestamp"]) - time.time()) < 60
    assert "FifoQueue" not in everything and "Policy" not in everything
    equal(door.attributes(url, "DelaySeconds", "FifoQueue"), {"DelaySeconds": "0"})
    assert "Attributes" not in door.sqs.get_queue_attributes(QueueUrl=url)
    door.refuses(
        "InvalidAttributeName",
        door.sqs.get_queue_attributes,
        "Unknown Attribute Colour.",
        QueueUrl=url,
        AttributeNames=["Colour"],
    )
    door.refuses("QueueDoesNotExist", door.sqs.get_queue_attributes, QueueUrl=url + "-none")
    fifo = door.attributes(door.queue("attributes", fifo=True))
    equal([fifo["FifoQueue"], fifo["ContentBasedDeduplication"]], ["true", "false"])


@action("SetQueueAttributes")
def set_queue_attributes(door):
    url, set_attributes = door.queue("set"), door.sqs.set_queue_attributes
    policy = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "a&b <c>",
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "SQS:SendMessage",
                    "Resource": door.arn(url),
                }
            ],
        }
    )
    changes = {
        "VisibilityTimeout": "12",
        "DelaySeconds": "3",
        "MaximumMessageSize": "2048",
        "MessageRetentionPeriod": "3600",
        "ReceiveMessageWaitTimeSeconds": "1",
        "Policy": policy,
        "KmsMasterKeyId": "alias/aws/sqs",
        "KmsDataKeyReusePeriodSeconds": "600",
    }
    set_attributes(QueueUrl=url, Attributes=changes)
    found = door.attributes(url)
    equal({name: found[name] for name in changes}, changes)
    equal(found["SqsManagedSseEnabled"], "false")
    set_attributes(QueueUrl=url, Attributes={"Policy": "", "KmsMasterKeyId": ""})
    assert not {"Policy", "KmsMasterKeyId"} & door.attributes(url).keys()
    door.refuses("InvalidAttributeName", set_attributes, QueueUrl=url, Attributes={"FifoQueue": "true"})
    for bad in ({"VisibilityTimeout": "x"}, {"Policy": "{"}, {"DelaySeconds": "-1"}):
        door.refuses("InvalidAttributeValue", set_attributes, QueueUrl=url, Attributes=bad)
    door.refuses("InvalidParameterValue", set_attributes, QueueUrl=url, Attributes={"RedrivePolicy": "{}"})


@action("TagQueue")
def tag_queue(door):
    url = door.queue("tags")
    door.sqs.tag_queue(QueueUrl=url, Tags={"owner": "J\u00fcrgen", "cost": "a/b+c", "empty": ""})
    door.sqs.tag_queue(QueueUrl=url, Tags={"cost": "d"})
    equal(door.sqs.list_queue_tags(QueueUrl=url)["Tags"], {"owner": "J\u00fcrgen", "cost": "d", "empty": ""})
    door.refuses("InvalidParameterValue", door.sqs.tag_queue, QueueUrl=url, Tags={"aws:x": "y"})
    door.refuses(
        "InvalidParameterValue", door.sqs.tag_queue, QueueUrl=url, Tags={f"t{number}": "" for number in range(50)}
    )


@action("ListQueueTags")
def list_queue_tags(door):
    assert "Tags" not in door.sqs.list_queue_tags(QueueUrl=door.queue("untagged"))
    equal(door.sqs.list_queue_tags(QueueUrl=f"{RUN}-created")["Tags"], {"team": "a", "empty": ""})
    door.refuses("QueueDoesNotExist", door.sqs.list_queue_tags, QueueUrl=f"{RUN}-none")


@action("UntagQueue")
def untag_queue(door):
    url = door.queue("tags")
    door.sqs.untag_queue(QueueUrl=url, TagKeys=["cost", "never there"])
    equal(sorted(door.sqs.list_queue_tags(QueueUrl=url)["Tags"]), ["empty", "owner"])
    door.refuses("QueueDoesNotExist", door.sqs.untag_queue, QueueUrl=url + "-none", TagKeys=["a"])


@action("AddPermission")
def add_permission(door):
    url, add = door.queue("permission"), door.sqs.add_permission
    add(QueueUrl=url, Label="one", AWSAccountIds=["111111111111"], Actions=["SendMessage"])
    add(QueueUrl=url, Label="two", AWSAccountIds=["111111111111", "222222222222"], Actions=["*"])
    policy, arn = json.loads(door.attributes(url, "Policy")["Policy"]), door.arn(url)
    equal([policy["Version"], policy["Id"]], ["2008-10-17", f"{arn}/SQSDefaultPolicy"])
    equal(
        policy["Statement"][0],
        {
            "Sid": "one",
            "Effect": "Allow",
            "Resource": arn,
            "Action": "SQS:SendMessage",
            "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        },
    )
    equal(len(policy["Statement"][1]["Principal"]["AWS"]), 2)
    account = {"AWSAccountIds": ["111111111111"]}
    door.refuses(
        "InvalidParameterValue",
        add,
        "Value one for parameter Label is invalid. Reason: Already exists.",
        QueueUrl=url,
        Label="one",
        Actions=["SendMessage"],
        **account,
    )
    door.refuses("InvalidParameterValue", add, QueueUrl=url, Label="x", Actions=["CreateQueue"], **account)
    door.refuses(
        "OverLimit",
        add,
        "8 Actions were found, maximum allowed is 7.",
        QueueUrl=url,
        Label="x",
        Actions=[
            "*",
            "ChangeMessageVisibility",
            "DeleteMessage",
            "GetQueueAttributes",
            "GetQueueUrl",
            "PurgeQueue",
            "ReceiveMessage",
            "SendMessage",
        ],
        **account,
    )


@action("RemovePermission")
def remove_permission(door):
    url, remove = door.queue("permission"), door.sqs.remove_permission
    remove(QueueUrl=url, Label="two")
    equal([it["Sid"] for it in json.loads(door.attributes(url, "Policy")["Policy"])["Statement"]], ["one"])
    remove(QueueUrl=url, Label="one")
    assert "Policy" not in door.attributes(url)
    door.refuses(
        "InvalidParameterValue",
        remove,
        "Value one for parameter Label is invalid. Reason: can't find label.",
        QueueUrl=url,
        Label="one",
    )


def dead_letters(door, name):
    """A queue with two messages, moved to its dead-letter queue."""
    dead, source = door.queue(f"{name}-dead"), door.queue(name, VisibilityTimeout="0")
    policy = json.dumps({"deadLetterTargetArn": door.arn(dead), "maxReceiveCount": 1})
    door.sqs.set_queue_attributes(QueueUrl=source, Attributes={"RedrivePolicy": policy})
    equal(json.loads(door.attributes(source, "RedrivePolicy")["RedrivePolicy"]), json.loads(policy))
    for body in ("poison 1", "poison 2"):
        door.sqs.send_message(QueueUrl=source, MessageBody=body)
    equal(len(door.receive(source, MaxNumberOfMessages=2)), 2)
    equal(door.receive(source, MaxNumberOfMessages=2), [])
    equal(door.attributes(dead, "ApproximateNumberOfMessages")["ApproximateNumberOfMessages"], "2")
    return source, dead


@action("ListDeadLetterSourceQueues")
def list_dead_letter_source_queues(door):
    source, dead = dead_letters(door, "sources")
    [message] = door.receive(dead, VisibilityTimeout=0, **door.system_names("All"))
    equal(message["Attributes"]["DeadLetterQueueSourceArn"], door.arn(source))
    equal(door.sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [source])
    second = door.queue("sources-2", RedrivePolicy=door.attributes(source, "RedrivePolicy")["RedrivePolicy"])
    pages = door.sqs.get_paginator("list_dead_letter_source_queues")
    pages = list(pages.paginate(QueueUrl=dead, PaginationConfig={"PageSize": 1}))
    equal([page["queueUrls"] for page in pages], [[source], [second]])
    equal(door.sqs.list_dead_letter_source_queues(QueueUrl=source).get("queueUrls", []), [])
    door.refuses("QueueDoesNotExist", door.sqs.list_dead_letter_source_queues, QueueUrl=dead + "-none")


@action("StartMessageMoveTask")
def start_message_move_task(door):
    source, dead = dead_letters(door, "moved")
    start = door.sqs.start_message_move_task
    door.refuses(
        "ResourceNotFoundException",
        start,
        "The resource that you specified for the SourceArn parameter doesn't exist.",
        SourceArn=door.arn(dead) + "-none",
    )
    door.refuses(
        "InvalidParameterValue",
        start,
        "Source queue must be configured as a Dead Letter Queue.",
        SourceArn=door.arn(source),
    )
    assert start(SourceArn=door.arn(dead))["TaskHandle"]
    deadline = time.monotonic() + 10
    while len(found := door.receive(source, MaxNumberOfMessages=10, VisibilityTimeout=30)) == 0:
        assert time.monotonic() < deadline
    equal(sorted(message["Body"] for message in found), ["poison 1", "poison 2"])


@action("ListMessageMoveTasks")
def list_message_move_tasks(door):
    dead = f"{door.arn(door.queue('moved-dead'))}"
    [task] = door.sqs.list_message_move_tasks(SourceArn=dead, MaxResults=10)["Results"]
    equal([task["Status"], task["SourceArn"]], ["COMPLETED", dead])
    equal([task["ApproximateNumberOfMessagesMoved"], task["ApproximateNumberOfMessagesToMove"]], [2, 2])
    assert abs(task["StartedTimestamp"] / 1000 - time.time()) < 60
    assert "TaskHandle" not in task and "FailureReason" not in task
    door.refuses("InvalidParameterValue", door.sqs.list_message_move_tasks, SourceArn=dead, MaxResults=11)
    door.refuses("ResourceNotFoundException", door.sqs.list_message_move_tasks, SourceArn=dead + "-none")


@action("CancelMessageMoveTask")
def cancel_message_move_task(door):
    source, dead = dead_letters(door, "cancelled")
    arn, cancel = door.arn(dead), door.sqs.cancel_message_move_task
    handle = door.sqs.start_message_move_task(
        SourceArn=arn, DestinationArn=door.arn(source), MaxNumberOfMessagesPerSecond=1
    )["TaskHandle"]
    [task] = door.sqs.list_message_move_tasks(SourceArn=arn)["Results"]
    equal([task["Status"], task["TaskHandle"], task["MaxNumberOfMessagesPerSecond"]], ["RUNNING", handle, 1])
    equal(task["DestinationArn"], door.arn(source))
    door.refuses("InvalidParameterValue", door.sqs.start_message_move_task, SourceArn=arn)
    assert 0 <= cancel(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] <= 1
    deadline = time.monotonic() + 10
    while door.sqs.list_message_move_tasks(SourceArn=arn)["Results"][0]["Status"] != "CANCELLED":
        assert time.monotonic() < deadline
    door.refuses("ResourceNotFoundException", cancel, "Task does not exist.", TaskHandle=handle)
    door.refuses("InvalidParameterValue", cancel, "Value for parameter TaskHandle is invalid.", TaskHandle="?")


@action("DeleteQueue")
def delete_queue(door):
    url = door.queue("deleted")
    ended = []

    def poll():
        try:
            ended.append(door.client(door.region, "poller").receive_message(QueueUrl=url, WaitTimeSeconds=20))
        except ClientError as error:
            ended.append(error.response["Error"]["Code"])

    poller = threading.Thread(target=poll)
    poller.start()
    time.sleep(0.5)
    door.sqs.delete_queue(QueueUrl=url)
    poller.join(10)
    equal(ended, ["AWS.SimpleQueueService.NonExistentQueue"])
    door.refuses("QueueDoesNotExist", door.sqs.delete_queue, QueueUrl=url)
    door.refuses(
        "QueueDeletedRecently",
        door.sqs.create_queue,
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        QueueName=f"{RUN}-deleted",
    )


@action("accounts and regions")
def accounts_and_regions(door):
    here = door.queue("scoped")
    elsewhere = door.client("eu-central-1", "123456789012")
    url = elsewhere.create_queue(QueueName=f"{RUN}-scoped")["QueueUrl"]
    equal(url, f"{door.endpoint}/eu-central-1/123456789012/{RUN}-scoped")
    elsewhere.send_message(QueueUrl=url, MessageBody="x")
    equal(door.receive(here), [])
    equal(len(elsewhere.receive_message(QueueUrl=url).get("Messages", [])), 1)
    door.refuses("QueueDoesNotExist", door.sqs.send_message, QueueUrl=url, MessageBody="x")
    presigned = door.sqs.generate_presigned_url("get_queue_url", {"QueueName": f"{RUN}-scoped"})
    if door.protocol == "query":
        with urllib.request.urlopen(presigned) as answer:
            assert here in answer.read().decode()
