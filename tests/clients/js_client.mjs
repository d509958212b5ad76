// All 23 actions of SQS through the AWS SDK for JavaScript v3, against a running endpoint.
//
//     node js_client.mjs --endpoint http://127.0.0.1:9324
//
// Prints a line per action and ends with 1 if anything is not as expected. Queues are named anew on every run, so that
// one endpoint serves many runs; it has to keep SQS's cooldowns (not be started with --no-cooldowns). The SDK compares
// the digests of what it sends and receives with its own.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import * as sdk from "@aws-sdk/client-sqs";

const { values: options } = parseArgs({
  options: {
    endpoint: { type: "string", default: "http://127.0.0.1:9324" },
    region: { type: "string", default: "us-east-1" },
    key: { type: "string", default: "000000000000" },
  },
});
const endpoint = options.endpoint.replace(/\/$/, "");
const RUN = randomBytes(4).toString("hex");
const PREFIX = "AWS.SimpleQueueService.";

const client = (region, key) =>
  new sdk.SQS({ endpoint, region, credentials: { accessKeyId: key, secretAccessKey: "secret" }, maxAttempts: 1 });
const sqs = client(options.region, options.key);

const actions = [];
const action = (name, drive) => actions.push([name, drive]);

async function queue(name, attributes = {}) {
  const fifo = name.endsWith(".fifo") ? { FifoQueue: "true" } : {};
  const created = await sqs.createQueue({ QueueName: `${RUN}-${name}`, Attributes: { ...fifo, ...attributes } });
  return created.QueueUrl;
}

async function attributes(url, ...names) {
  const answer = await sqs.getQueueAttributes({ QueueUrl: url, AttributeNames: names.length ? names : ["All"] });
  return answer.Attributes;
}

const arn = async (url) => (await attributes(url, "QueueArn")).QueueArn;
const receive = async (url, parameters = {}) =>
  (await sqs.receiveMessage({ QueueUrl: url, ...parameters })).Messages ?? [];
const bodies = (messages) => messages.map((message) => message.Body);
const numbers = (count) => Array.from({ length: count }, (_, number) => number);
const entry = (number, more = {}) => ({ Id: `e${number}`, MessageBody: `body ${number}`, ...more });

// That a call fails: with which class (or name, where the model has no class), HTTP status and text.
async function fails(kind, call, { status = 400, text, code } = {}) {
  let error;
  try {
    await call;
  } catch (thrown) {
    error = thrown;
  }
  assert(error, `${kind.name ?? kind} expected, but the call succeeded`);
  assert(error instanceof sdk.SQSServiceException, error);
  if (typeof kind === "string") assert.equal(error.name, kind);
  else assert(error instanceof kind, `${kind.name} expected, found ${error.name}: ${error.message}`);
  if (code) assert.equal(error.Code ?? error.Error?.Code, code);
  if (text) assert.equal(error.message, text);
  assert.equal(error.$metadata.httpStatusCode, status);
  assert(error.$metadata.requestId);
}

const noQueue = { text: "The specified queue does not exist." };

action("CreateQueue", async () => {
  const name = `${RUN}-created`;
  const created = await sqs.createQueue({
    QueueName: name,
    Attributes: { VisibilityTimeout: "45" },
    tags: { team: "a", empty: "" },
  });
  const account = created.QueueUrl.split("/").at(-2);
  assert.equal(created.QueueUrl, `${endpoint}/${options.region}/${account}/${name}`);
  assert.equal((await sqs.createQueue({ QueueName: name })).QueueUrl, created.QueueUrl);
  await fails(sdk.QueueNameExists, sqs.createQueue({ QueueName: name, Attributes: { VisibilityTimeout: "46" } }), {
    text: "A queue already exists with the same name and a different value for attribute VisibilityTimeout",
  });
  await fails("InvalidParameterValue", sqs.createQueue({ QueueName: "no spaces" }));
  await fails(sdk.InvalidAttributeName, sqs.createQueue({ QueueName: "x", Attributes: { Colour: "red" } }), {
    text: "Unknown Attribute Colour.",
  });
  await fails(sdk.InvalidAttributeValue, sqs.createQueue({ QueueName: "x", Attributes: { DelaySeconds: "901" } }), {
    text: "Invalid value for the parameter DelaySeconds.",
  });
  assert((await queue("created.fifo")).endsWith("-created.fifo"));
});

action("GetQueueUrl", async () => {
  const url = await queue("url");
  const owner = url.split("/").at(-2);
  assert.equal((await sqs.getQueueUrl({ QueueName: `${RUN}-url` })).QueueUrl, url);
  const owned = await sqs.getQueueUrl({ QueueName: `${RUN}-url`, QueueOwnerAWSAccountId: owner });
  assert.equal(owned.QueueUrl, url);
  await fails(sdk.QueueDoesNotExist, sqs.getQueueUrl({ QueueName: `${RUN}-none` }), noQueue);
});

action("ListQueues", async () => {
  const urls = [];
  for (const number of numbers(5)) urls.push(await queue(`list-${number}`));
  const QueueNamePrefix = `${RUN}-list-`;
  const all = await sqs.listQueues({ QueueNamePrefix });
  assert.deepEqual([all.QueueUrls, all.NextToken], [urls, undefined]);
  const pages = [];
  for await (const page of sdk.paginateListQueues({ client: sqs, pageSize: 2 }, { QueueNamePrefix })) {
    pages.push(page.QueueUrls);
  }
  assert.deepEqual(pages, [urls.slice(0, 2), urls.slice(2, 4), urls.slice(4)]);
  assert.equal((await sqs.listQueues({ QueueNamePrefix: `${RUN}-nothing` })).QueueUrls, undefined);
  await fails("InvalidParameterValue", sqs.listQueues({ MaxResults: 1001 }));
  await fails("InvalidParameterValue", sqs.listQueues({ MaxResults: 2, NextToken: "forged" }));
});

action("GetQueueAttributes", async () => {
  const url = await queue("attributes", { VisibilityTimeout: "7" });
  const all = await attributes(url);
  assert.equal(all.VisibilityTimeout, "7");
  assert.equal(all.QueueArn, `arn:aws:sqs:${options.region}:${url.split("/").at(-2)}:${RUN}-attributes`);
  assert(!("FifoQueue" in all) && !("Policy" in all));
  assert.deepEqual(await attributes(url, "DelaySeconds", "FifoQueue"), { DelaySeconds: "0" });
  assert.equal((await sqs.getQueueAttributes({ QueueUrl: url })).Attributes, undefined);
  await fails(sdk.InvalidAttributeName, sqs.getQueueAttributes({ QueueUrl: url, AttributeNames: ["Colour"] }));
  await fails(sdk.QueueDoesNotExist, attributes(`${url}-none`), noQueue);
});

action("SetQueueAttributes", async () => {
  const url = await queue("set");
  const Statement = [{ Sid: "a&b <c>", Effect: "Allow", Principal: "*", Action: "SQS:*", Resource: await arn(url) }];
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
  const changes = { VisibilityTimeout: "12", DelaySeconds: "3", Policy, KmsMasterKeyId: "alias/aws/sqs" };
  await sqs.setQueueAttributes({ QueueUrl: url, Attributes: changes });
  const found = await attributes(url);
  for (const [name, value] of Object.entries(changes)) assert.equal(found[name], value);
  await sqs.setQueueAttributes({ QueueUrl: url, Attributes: { Policy: "" } });
  assert(!("Policy" in (await attributes(url))));
  const set = (Attributes) => sqs.setQueueAttributes({ QueueUrl: url, Attributes });
  await fails(sdk.InvalidAttributeName, set({ FifoQueue: "true" }));
  await fails(sdk.InvalidAttributeValue, set({ VisibilityTimeout: "x" }));
  await fails(sdk.InvalidAttributeValue, set({ Policy: "{" }));
  await fails("InvalidParameterValue", set({ RedrivePolicy: "{}" }));
});

action("SendMessage", async () => {
  const url = await queue("send");
  const body = 'a body with <markup> & "quotes", \ttabs\r\nand CRLF, \u00fc\u4e2d\u{1f600} + 100%';
  const user = {
    text: { DataType: "String", StringValue: "v & <w>" },
    number: { DataType: "Number.int", StringValue: "-17.5e3" },
    bytes: { DataType: "Binary", BinaryValue: Uint8Array.from(numbers(256)) },
  };
  const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
  const sent = await sqs.sendMessage({
    QueueUrl: url,
    MessageBody: body,
    MessageAttributes: user,
    MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue: trace } },
  });
  assert.equal(sent.MD5OfMessageBody, createHash("md5").update(body).digest("hex"));
  assert.equal(sent.MD5OfMessageSystemAttributes, "5ae4d5d7636402d80f4eb6d213245a88");
  assert.equal(sent.SequenceNumber, undefined);
  const names = { MessageAttributeNames: ["All"], MessageSystemAttributeNames: ["All"] };
  const [message] = await receive(url, names);
  assert.deepEqual([message.Body, message.MessageId], [body, sent.MessageId]);
  assert.deepEqual(Object.keys(message.MessageAttributes).sort(), ["bytes", "number", "text"]);
  assert.deepEqual(Buffer.from(message.MessageAttributes.bytes.BinaryValue), Buffer.from(user.bytes.BinaryValue));
  assert.equal(message.MessageAttributes.number.StringValue, "-17.5e3");
  assert.equal(message.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
  assert.equal(message.Attributes.AWSTraceHeader, trace);
  await sqs.sendMessage({ QueueUrl: url, MessageBody: "later", DelaySeconds: 1 });
  assert.deepEqual(await receive(url), []);
  assert.deepEqual(bodies(await receive(url, { WaitTimeSeconds: 5 })), ["later"]);

  const send = (more) => sqs.sendMessage({ QueueUrl: url, MessageBody: "x", ...more });
  await fails("MissingParameter", send({ MessageBody: "" }), {
    text: "The request must contain the parameter MessageBody.",
  });
  await fails(sdk.InvalidMessageContents, send({ MessageBody: "\u0001" }));
  await fails("InvalidParameterValue", send({ DelaySeconds: 901 }));
  await fails("InvalidParameterValue", send({ MessageBody: "x".repeat(1_048_577) }), {
    text: "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
  });
  const seven = { DataType: "Number", StringValue: "seven" };
  await fails("InvalidParameterValue", send({ MessageAttributes: { seven } }));
  await fails(sdk.QueueDoesNotExist, send({ QueueUrl: `${url}-none` }), noQueue);
  const largest = "x".repeat(1_048_576);
  await send({ MessageBody: largest });
  assert.equal((await receive(url))[0].Body === largest, true);
});

action("SendMessage to a FIFO queue", async () => {
  const url = await queue("send.fifo", { ContentBasedDeduplication: "true" });
  const send = (MessageBody, more = {}) =>
    sqs.sendMessage({ QueueUrl: url, MessageBody, MessageGroupId: "g", ...more });
  const first = await send("1");
  const again = await send("1");
  assert.deepEqual([again.MessageId, again.SequenceNumber], [first.MessageId, first.SequenceNumber]);
  const second = await send("2", { MessageDeduplicationId: "d" });
  assert(first.SequenceNumber < second.SequenceNumber);
  await send("other", { MessageGroupId: "h" });
  const attempt = { MaxNumberOfMessages: 10, ReceiveRequestAttemptId: "attempt" };
  const received = await receive(url, { ...attempt, MessageSystemAttributeNames: ["All"] });
  assert.deepEqual(bodies(received), ["1", "2", "other"]);
  assert.equal(received[1].Attributes.MessageGroupId, "g");
  assert.equal(received[1].Attributes.MessageDeduplicationId, "d");
  assert.equal(received[1].Attributes.SequenceNumber, second.SequenceNumber);
  assert.deepEqual(bodies(await receive(url, attempt)), ["1", "2", "other"]);
  assert.deepEqual(await receive(url), []);
  await fails("MissingParameter", sqs.sendMessage({ QueueUrl: url, MessageBody: "x" }), {
    text: "The request must contain the parameter MessageGroupId.",
  });
  await fails("InvalidParameterValue", send("x", { DelaySeconds: 2 }));
});

action("SendMessageBatch", async () => {
  const url = await queue("batch");
  const send = (Entries, QueueUrl = url) => sqs.sendMessageBatch({ QueueUrl, Entries });
  const bytes = { DataType: "Binary", BinaryValue: Uint8Array.of(0, 1, 2, 255) };
  const sent = await send([...numbers(9).map((number) => entry(number)), entry(9, { MessageAttributes: { b: bytes } })]);
  assert.equal(sent.Successful.length, 10);
  assert.deepEqual(sent.Failed ?? [], []);
  assert.equal(sent.Successful[9].MD5OfMessageAttributes, "7e480da8c0e874189215a7676537a024");
  const mixed = await send([entry(1), entry(2, { MessageBody: "\u0001" })]);
  assert.equal(mixed.Successful[0].Id, "e1");
  const [{ Id, Code, SenderFault }] = mixed.Failed;
  assert.deepEqual([Id, Code, SenderFault], ["e2", "InvalidMessageContents", true]);
  await fails(sdk.TooManyEntriesInBatchRequest, send(numbers(11).map((number) => entry(number))), {
    text: "Maximum number of entries per request are 10. You have sent 11.",
  });
  await fails(sdk.BatchEntryIdsNotDistinct, send([entry(1), entry(1)]), { text: "Id e1 repeated." });
  await fails(sdk.InvalidBatchEntryId, send([entry("a b")]));
  await fails(sdk.EmptyBatchRequest, send([]));
  await fails(sdk.BatchRequestTooLong, send(numbers(2).map((it) => entry(it, { MessageBody: "x".repeat(600_000) }))));
  const fifo = await queue("batch.fifo");
  const ids = { MessageGroupId: "g", MessageDeduplicationId: "1" };
  const { Successful: both } = await send([entry(1, ids), entry(2, ids)], fifo);
  assert.equal(both[0].SequenceNumber, both[1].SequenceNumber);
  await fails("InvalidParameterValue", send([entry(1)], fifo));
});

action("ReceiveMessage", async () => {
  const url = await queue("receive");
  let begun = performance.now();
  assert.deepEqual(await receive(url, { WaitTimeSeconds: 1 }), []);
  const waited = performance.now() - begun;
  assert(waited > 900 && waited < 5000, `an empty long poll of one second took ${waited} ms`);
  begun = performance.now();
  const poll = receive(url, { WaitTimeSeconds: 20, VisibilityTimeout: 0, MessageSystemAttributeNames: ["All"] });
  await pause(300);
  await sqs.sendMessage({ QueueUrl: url, MessageBody: "at last" });
  const [message] = await poll;
  assert(performance.now() - begun < 10_000, "a long poll ends with a message");
  assert.deepEqual([message.Body, message.Attributes.ApproximateReceiveCount], ["at last", "1"]);
  assert.equal(message.MessageAttributes, undefined);
  const [again] = await receive(url, { AttributeNames: ["ApproximateReceiveCount"] });
  assert.deepEqual(again.Attributes, { ApproximateReceiveCount: "2" });
  const value = { DataType: "String", StringValue: "v" };
  const MessageAttributes = { "a.1": value, "a.2": value, b: value };
  await sqs.sendMessage({ QueueUrl: url, MessageBody: "x", MessageAttributes });
  const [filtered] = await receive(url, { MessageAttributeNames: ["a.*", "c"] });
  assert.deepEqual(Object.keys(filtered.MessageAttributes).sort(), ["a.1", "a.2"]);
  for (const number of numbers(3)) await sqs.sendMessage({ QueueUrl: url, MessageBody: `${number}` });
  assert.deepEqual(bodies(await receive(url, { MaxNumberOfMessages: 10 })), ["0", "1", "2"]);
  for (const bad of [{ MaxNumberOfMessages: 11 }, { WaitTimeSeconds: 21 }, { VisibilityTimeout: 43_201 }]) {
    await fails("InvalidParameterValue", receive(url, bad));
  }
  await fails(sdk.QueueDoesNotExist, receive(`${url}-none`), noQueue);
});

action("DeleteMessage", async () => {
  const url = await queue("delete");
  await sqs.sendMessage({ QueueUrl: url, MessageBody: "x" });
  const [{ ReceiptHandle }] = await receive(url);
  await sqs.deleteMessage({ QueueUrl: url, ReceiptHandle });
  await sqs.deleteMessage({ QueueUrl: url, ReceiptHandle });
  const count = "ApproximateNumberOfMessagesNotVisible";
  assert.deepEqual(await attributes(url, count), { [count]: "0" });
  await fails(sdk.ReceiptHandleIsInvalid, sqs.deleteMessage({ QueueUrl: url, ReceiptHandle: "forged" }), {
    status: 404,
    text: 'The input receipt handle "forged" is not a valid receipt handle.',
  });
});

action("DeleteMessageBatch", async () => {
  const url = await queue("delete-batch");
  await sqs.sendMessageBatch({ QueueUrl: url, Entries: numbers(3).map((number) => entry(number)) });
  const received = await receive(url, { MaxNumberOfMessages: 10 });
  const Entries = received.map(({ ReceiptHandle }, number) => ({ Id: `d${number}`, ReceiptHandle }));
  const result = await sqs.deleteMessageBatch({
    QueueUrl: url,
    Entries: [...Entries, { Id: "bad", ReceiptHandle: "forged" }],
  });
  assert.equal(result.Successful.length, 3);
  assert.deepEqual([result.Failed[0].Id, result.Failed[0].Code], ["bad", "ReceiptHandleIsInvalid"]);
  const twice = sqs.deleteMessageBatch({ QueueUrl: url, Entries: [Entries[0], Entries[0]] });
  await fails(sdk.BatchEntryIdsNotDistinct, twice);
});

action("ChangeMessageVisibility", async () => {
  const url = await queue("visibility");
  await sqs.sendMessage({ QueueUrl: url, MessageBody: "x" });
  const change = (ReceiptHandle, VisibilityTimeout) =>
    sqs.changeMessageVisibility({ QueueUrl: url, ReceiptHandle, VisibilityTimeout });
  const [first] = await receive(url);
  assert.deepEqual(await receive(url), []);
  await change(first.ReceiptHandle, 0);
  const [second] = await receive(url);
  await fails("InvalidParameterValue", change(second.ReceiptHandle, 43_201));
  await change(second.ReceiptHandle, 1);
  assert.equal((await receive(url, { WaitTimeSeconds: 5 })).length, 1);
  await fails(sdk.ReceiptHandleIsInvalid, change("forged", 1), { status: 404 });
});

action("ChangeMessageVisibilityBatch", async () => {
  const url = await queue("visibility-batch");
  await sqs.sendMessageBatch({ QueueUrl: url, Entries: numbers(2).map((number) => entry(number)) });
  const received = await receive(url, { MaxNumberOfMessages: 2 });
  const changes = received.map(({ ReceiptHandle }, number) => ({
    Id: `c${number}`,
    ReceiptHandle,
    VisibilityTimeout: 0,
  }));
  const change = (Entries) => sqs.changeMessageVisibilityBatch({ QueueUrl: url, Entries });
  const result = await change([...changes, { ...changes[0], Id: "bad", VisibilityTimeout: 43_201 }]);
  assert.equal(result.Successful.length, 2);
  assert.deepEqual([result.Failed[0].Id, result.Failed[0].Code], ["bad", "InvalidParameterValue"]);
  assert.equal((await receive(url, { MaxNumberOfMessages: 10 })).length, 2);
  await fails(sdk.EmptyBatchRequest, change([]));
});

action("PurgeQueue", async () => {
  const url = await queue("purge");
  await sqs.sendMessage({ QueueUrl: url, MessageBody: "x" });
  await sqs.purgeQueue({ QueueUrl: url });
  assert.deepEqual(await receive(url), []);
  await fails(sdk.PurgeQueueInProgress, sqs.purgeQueue({ QueueUrl: url }), {
    status: 403,
    text: `Only one PurgeQueue operation on ${RUN}-purge is allowed every 60 seconds.`,
  });
});

action("TagQueue", async () => {
  const url = await queue("tags");
  await sqs.tagQueue({ QueueUrl: url, Tags: { owner: "J\u00fcrgen", cost: "a/b+c", empty: "" } });
  await sqs.tagQueue({ QueueUrl: url, Tags: { cost: "d" } });
  const { Tags } = await sqs.listQueueTags({ QueueUrl: url });
  assert.deepEqual(Tags, { cost: "d", empty: "", owner: "J\u00fcrgen" });
  await fails("InvalidParameterValue", sqs.tagQueue({ QueueUrl: url, Tags: { "aws:x": "y" } }));
});

action("ListQueueTags", async () => {
  assert.equal((await sqs.listQueueTags({ QueueUrl: await queue("untagged") })).Tags, undefined);
  const { QueueUrl } = await sqs.getQueueUrl({ QueueName: `${RUN}-created` });
  assert.deepEqual((await sqs.listQueueTags({ QueueUrl })).Tags, { empty: "", team: "a" });
  await fails(sdk.QueueDoesNotExist, sqs.listQueueTags({ QueueUrl: `${QueueUrl}-none` }), noQueue);
});

action("UntagQueue", async () => {
  const url = await queue("tags");
  await sqs.untagQueue({ QueueUrl: url, TagKeys: ["cost", "never there"] });
  assert.deepEqual(Object.keys((await sqs.listQueueTags({ QueueUrl: url })).Tags).sort(), ["empty", "owner"]);
});

action("AddPermission", async () => {
  const url = await queue("permission");
  const add = (Label, Actions, AWSAccountIds = ["111111111111"]) =>
    sqs.addPermission({ QueueUrl: url, Label, AWSAccountIds, Actions });
  await add("one", ["SendMessage"]);
  await add("two", ["SendMessage", "ReceiveMessage"], ["111111111111", "222222222222"]);
  const policy = JSON.parse((await attributes(url, "Policy")).Policy);
  assert.equal(policy.Id, `${await arn(url)}/SQSDefaultPolicy`);
  assert.deepEqual(policy.Statement[0].Principal, { AWS: "arn:aws:iam::111111111111:root" });
  assert.deepEqual(policy.Statement[1].Action, ["SQS:SendMessage", "SQS:ReceiveMessage"]);
  await fails("InvalidParameterValue", add("one", ["SendMessage"]), {
    text: "Value one for parameter Label is invalid. Reason: Already exists.",
  });
  const eight = numbers(8).map(() => "SendMessage");
  await fails(sdk.OverLimit, add("x", eight), { status: 403, text: "8 Actions were found, maximum allowed is 7." });
});

action("RemovePermission", async () => {
  const url = await queue("permission");
  await sqs.removePermission({ QueueUrl: url, Label: "two" });
  await sqs.removePermission({ QueueUrl: url, Label: "one" });
  assert(!("Policy" in (await attributes(url))));
  await fails("InvalidParameterValue", sqs.removePermission({ QueueUrl: url, Label: "one" }), {
    text: "Value one for parameter Label is invalid. Reason: can't find label.",
  });
});

// A queue with two messages, moved to its dead-letter queue.
async function deadLetters(name) {
  const dead = await queue(`${name}-dead`);
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: await arn(dead), maxReceiveCount: 1 });
  const source = await queue(name, { RedrivePolicy, VisibilityTimeout: "0" });
  for (const number of numbers(2)) await sqs.sendMessage({ QueueUrl: source, MessageBody: `poison ${number}` });
  assert.equal((await receive(source, { MaxNumberOfMessages: 2 })).length, 2);
  assert.deepEqual(await receive(source, { MaxNumberOfMessages: 2 }), []);
  return [source, dead];
}

action("ListDeadLetterSourceQueues", async () => {
  const [source, dead] = await deadLetters("sources");
  const [message] = await receive(dead, { MessageSystemAttributeNames: ["DeadLetterQueueSourceArn"] });
  assert.deepEqual(message.Attributes, { DeadLetterQueueSourceArn: await arn(source) });
  assert.deepEqual((await sqs.listDeadLetterSourceQueues({ QueueUrl: dead })).queueUrls, [source]);
  const { RedrivePolicy } = await attributes(source, "RedrivePolicy");
  const second = await queue("sources-2", { RedrivePolicy });
  const pages = [];
  const paginate = sdk.paginateListDeadLetterSourceQueues({ client: sqs, pageSize: 1 }, { QueueUrl: dead });
  for await (const page of paginate) pages.push(page.queueUrls);
  assert.deepEqual(pages, [[source], [second]]);
  assert.deepEqual((await sqs.listDeadLetterSourceQueues({ QueueUrl: source })).queueUrls, []);
});

action("StartMessageMoveTask", async () => {
  const [source, dead] = await deadLetters("moved");
  const SourceArn = await arn(dead);
  await fails(sdk.ResourceNotFoundException, sqs.startMessageMoveTask({ SourceArn: `${SourceArn}-none` }), {
    status: 404,
    text: "The resource that you specified for the SourceArn parameter doesn't exist.",
  });
  await fails("InvalidParameterValue", sqs.startMessageMoveTask({ SourceArn: await arn(source) }), {
    text: "Source queue must be configured as a Dead Letter Queue.",
  });
  assert((await sqs.startMessageMoveTask({ SourceArn })).TaskHandle);
  const moved = await receive(source, { MaxNumberOfMessages: 10, VisibilityTimeout: 30, WaitTimeSeconds: 10 });
  assert.deepEqual(bodies(moved).sort(), ["poison 0", "poison 1"]);
});

action("ListMessageMoveTasks", async () => {
  const SourceArn = await arn(await queue("moved-dead"));
  const { Results } = await sqs.listMessageMoveTasks({ SourceArn, MaxResults: 10 });
  assert.equal(Results.length, 1);
  assert.equal(Results[0].Status, "COMPLETED");
  assert.equal(Results[0].ApproximateNumberOfMessagesMoved, 2);
  assert.equal(Results[0].TaskHandle, undefined);
  await fails("InvalidParameterValue", sqs.listMessageMoveTasks({ SourceArn, MaxResults: 11 }));
});

action("CancelMessageMoveTask", async () => {
  const [source, dead] = await deadLetters("cancelled");
  const [SourceArn, DestinationArn] = [await arn(dead), await arn(source)];
  const start = () => sqs.startMessageMoveTask({ SourceArn, DestinationArn, MaxNumberOfMessagesPerSecond: 1 });
  const { TaskHandle } = await start();
  const status = async () => (await sqs.listMessageMoveTasks({ SourceArn })).Results[0];
  const running = await status();
  assert.deepEqual([running.Status, running.TaskHandle], ["RUNNING", TaskHandle]);
  await fails("InvalidParameterValue", start());
  const cancelled = await sqs.cancelMessageMoveTask({ TaskHandle });
  assert(cancelled.ApproximateNumberOfMessagesMoved <= 1);
  for (let tries = 0; (await status()).Status !== "CANCELLED"; tries += 1) {
    assert(tries < 100);
    await pause(100);
  }
  await fails(sdk.ResourceNotFoundException, sqs.cancelMessageMoveTask({ TaskHandle }), {
    status: 404,
    text: "Task does not exist.",
  });
  await fails("InvalidParameterValue", sqs.cancelMessageMoveTask({ TaskHandle: "?" }));
});

action("DeleteQueue", async () => {
  const url = await queue("deleted");
  const poll = fails(sdk.QueueDoesNotExist, receive(url, { WaitTimeSeconds: 20 }), noQueue);
  await pause(500);
  await sqs.deleteQueue({ QueueUrl: url });
  await poll;
  await fails(sdk.QueueDoesNotExist, sqs.deleteQueue({ QueueUrl: url }), noQueue);
  await fails(sdk.QueueDeletedRecently, sqs.createQueue({ QueueName: `${RUN}-deleted` }), {
    text: "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
  });
});

action("accounts and regions", async () => {
  const here = await queue("scoped");
  const elsewhere = client("eu-central-1", "123456789012");
  const { QueueUrl } = await elsewhere.createQueue({ QueueName: `${RUN}-scoped` });
  assert.equal(QueueUrl, `${endpoint}/eu-central-1/123456789012/${RUN}-scoped`);
  await elsewhere.sendMessage({ QueueUrl, MessageBody: "x" });
  assert.deepEqual(await receive(here), []);
  assert.equal((await elsewhere.receiveMessage({ QueueUrl })).Messages.length, 1);
  elsewhere.destroy();
});

// Told of no endpoint, the SDK sends what is for a queue to the host of the queue's URL.
action("queue URLs as endpoints", async () => {
  const QueueUrl = await queue("direct");
  const credentials = { accessKeyId: options.key, secretAccessKey: "secret" };
  const direct = new sdk.SQS({ region: options.region, credentials, maxAttempts: 1 });
  await direct.sendMessage({ QueueUrl, MessageBody: "by its URL" });
  assert.deepEqual(bodies((await direct.receiveMessage({ QueueUrl })).Messages), ["by its URL"]);
  direct.destroy();
});

const { default: { version } } = await import("@aws-sdk/client-sqs/package.json", { with: { type: "json" } });
console.log(`@aws-sdk/client-sqs ${version}, node ${process.version}`);
let failed = 0;
for (const [name, drive] of actions) {
  try {
    await drive();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}`);
    console.error(error);
  }
}
const names = new Set(actions.map(([name]) => name));
const commands = Object.keys(sdk).filter((name) => name.endsWith("Command") && name !== "$Command");
const modelled = commands.map((name) => name.replace(/Command$/, ""));
const missing = modelled.filter((name) => !names.has(name));
console.log(`${modelled.length} actions in the SDK, not driven: ${missing.join(", ") || "none"}; ${failed} failed`);
process.exitCode = failed || missing.length ? 1 : 0;
sqs.destroy();
