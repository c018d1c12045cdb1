"""The stories. Each is a pure function of its random numbers: the same seed tells the same story, to the byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Final

from sojourn.demo import cast
from sojourn.demo import words as spoken
from sojourn.demo.cast import Model
from sojourn.demo.story import Packet, Service, Span, Trace, Value
from sojourn.demo.words import Talk, text

Story = tuple[Packet, ...]


def stories(seed: int) -> Iterator[Story]:
    """Story after story, without end."""
    number = 0
    while True:
        random = Random(f"{seed}:{number}")
        tell = random.choices([kind for kind, _ in KINDS], [often for _, often in KINDS])[0]
        yield tuple(sorted(tell(random), key=lambda packet: packet.due))
        number += 1


def chat(random: Random) -> list[Packet]:
    """Somebody talks to an assistant. The session id is on the root of each turn only, and the root comes last."""
    service, user = random.choice([cast.SHOP, cast.SUPPORT]), random.choice(cast.USERS)
    session, model = f"chat-{random.randbytes(4).hex()}", random.choice(cast.MODELS)
    packets: list[Packet] = []
    subject = random.choice(cast.SUBJECTS)
    talk, now, history, turns = Talk(spoken.ASSISTANT), 0.0, 400, random.randrange(2, 9)
    for turn in range(turns):
        question = random.choice(cast.QUESTIONS)
        talk.hear("user", text(question))
        about: dict[str, Value] = {"session.id": session, "user.id": user, "input.value": question}
        about |= {"langfuse.trace.tags": ("web", "beta" if random.random() < 0.3 else "stable"), "agentmark.metadata.channel": "web"}
        if turn:  # what it is about is known only after the first answer
            about["agentmark.session_name"] = subject
        if turn == turns - 1 and random.random() < 0.5:
            about["session.end"] = True
        trace = Trace(random, service)
        end, said = _turn(random, trace, model, talk, now, history, about)
        packets += trace.sent
        history += said
        now = end + random.uniform(2.0, 12.0)
    return packets


def _turn(
    random: Random, trace: Trace, model: Model, talk: Talk, start: float, history: int, about: Mapping[str, Value]
) -> tuple[float, int]:
    """One turn of a chat; gives its end and how many tokens were said."""
    root, now = trace.identity(), start + 0.02
    if random.random() < 0.4:
        now = _retrieval(random, trace, root, now)
    if random.random() < 0.12:
        refused: dict[str, Value] = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": model.provider}
        refused |= {"gen_ai.request.model": model.name, "error.type": "429"}
        trace.send(trace.span(f"chat {model.name}", now, now + 0.4, root, refused, kind="client", error="rate limit reached"))
        now += 1.5
    words = random.randrange(60, 400)
    answered = now + 0.4 + words / model.words_per_second
    said = random.choice(cast.ANSWERS)
    usage = cast.call(random, model, history + 60, words) | talk.answered(text(said))
    trace.send(trace.span(f"chat {model.name}", now, answered, root, usage, kind="client"))
    if random.random() < 0.15:
        trace.again()
    end = answered + 0.05
    answer = {"output.value": said, "http.request.method": "POST", "http.route": "/chat"}
    trace.send(trace.span("POST /chat", start, end, b"", {**about, **answer}, kind="server", identity=root), after=random.uniform(0.5, 2.0))
    return end, words + 60


def _retrieval(random: Random, trace: Trace, parent: bytes, start: float) -> float:
    """What is known about the question is looked up by another service, which exports on its own."""
    step, service = trace.identity(), cast.SHOP_SEARCH if trace.service is cast.SHOP else trace.service
    usage: dict[str, Value] = {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "openai",
        "gen_ai.usage.input_tokens": random.randrange(8, 40),
    }
    usage |= {"gen_ai.request.model": cast.EMBEDDINGS.name, "gen_ai.response.model": cast.EMBEDDINGS.name}
    end = start + random.uniform(0.15, 0.5)
    embed = trace.span(f"embeddings {cast.EMBEDDINGS.name}", start + 0.01, start + 0.1, step, usage, kind="client")
    search = trace.span("search products", start, end, parent, {"openinference.span.kind": "RETRIEVER"}, kind="server", identity=step)
    trace.send(embed, search, service=service)
    return end


def agent(random: Random) -> list[Packet]:
    """An agent researches with tools and a helper of its own; its span repeats the usage of all calls below it."""
    trace, root = Trace(random, cast.RESEARCH), b""
    root, topic, model = trace.identity(), random.choice(cast.TOPICS), random.choice(cast.MODELS)
    session = f"research-{random.randbytes(4).hex()}"
    about: dict[str, Value] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "researcher",
        "gen_ai.conversation.id": session,
    }
    about |= {"user.id": random.choice(cast.USERS), "agentmark.session_name": f"Research: {topic}", "agentmark.metadata.depth": "full"}
    wish = f"Write half a page on {topic}."
    found = f"What is known about {topic}, in seven sentences with sources."
    talk = Talk(spoken.RESEARCHER)
    talk.hear("user", text(wish))
    now, total_in, total_out = _steps(random, trace, root, 0.05, model, random.randrange(2, 6), talk, found)
    if random.random() < 0.6:
        helper = trace.identity()
        check = Talk(spoken.CHECKER)
        check.hear("user", text(f"Check this: {found}"))
        end, more_in, more_out = _steps(
            random, trace, helper, now, cast.HOUSE_MODEL, 2, check, "Six of seven hold. The third has no source."
        )
        mine: dict[str, Value] = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "fact-checker"}
        mine |= {"gen_ai.usage.input_tokens": more_in, "gen_ai.usage.output_tokens": more_out, "gen_ai.conversation.id": f"{session}/facts"}
        trace.send(trace.span("invoke_agent fact-checker", now, end, root, mine, identity=helper))
        now, total_in, total_out = end, total_in + more_in, total_out + more_out
    about |= {"gen_ai.usage.input_tokens": total_in, "gen_ai.usage.output_tokens": total_out}
    about |= {"input.value": wish, "output.value": found}
    trace.send(trace.span("invoke_agent researcher", 0.0, now + 0.1, b"", about, identity=root), after=3.0)
    return trace.sent


def _steps(
    random: Random, trace: Trace, parent: bytes, start: float, model: Model, steps: int, talk: Talk, found: str
) -> tuple[float, int, int]:
    """Think, use a tool, think again: gives the end, and the tokens in and out."""
    now, total_in, total_out, known = start, 0, 0, 900
    for step in range(steps + 1):
        words = random.randrange(40, 260)
        end = now + 0.5 + words / model.words_per_second
        tool, identity = random.choice(cast.TOOLS), f"call_{random.randbytes(4).hex()}"
        wants: spoken.Part = {"type": "tool_call", "id": identity, "name": tool, "arguments": {"query": found.split(",")[0]}}
        thought: spoken.Part = {"type": "reasoning", "content": random.choice(spoken.THOUGHTS)}
        said = talk.answered(thought, wants, reason="tool_calls") if step < steps else talk.answered(text(found))
        usage = cast.call(random, model, known, words) | said
        trace.send(trace.span(f"chat {model.name}", now, end, parent, usage, kind="client"))
        now, total_in, total_out = end, total_in + known, total_out + words
        if step < steps:
            now, result = _tool(random, trace, parent, now, tool)
            talk.hear("tool", {"type": "tool_call_response", "id": identity, "response": result})
            known += words + random.randrange(200, 2_500)
    return now, total_in, total_out


def _tool(random: Random, trace: Trace, parent: bytes, start: float, name: str) -> tuple[float, str]:
    """Gives its end and what it found."""
    end = start + random.uniform(0.1, 3.0)
    failed = random.random() < 0.12
    result = "timed out" if failed else random.choice(spoken.FINDINGS)
    attributes: dict[str, Value] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, "gen_ai.tool.call.result": result}
    if failed:
        attributes["error.type"] = "TimeoutError"
    trace.send(trace.span(f"execute_tool {name}", start, end, parent, attributes, error="timed out" if failed else ""))
    return end, result


def workflow(random: Random) -> list[Packet]:
    """A report in four steps, told by two services; every span names the session."""
    session = f"report/{random.randrange(2024, 2027)}/{random.randrange(1, 13):02d}/{random.randbytes(2).hex()}"
    trace, model = Trace(random, cast.WRITER), random.choice(cast.MODELS)
    root, now = trace.identity(), 0.1
    named: dict[str, Value] = {"session.id": session, "gen_ai.conversation.name": "Monthly report", "user.id": "scheduler"}
    failing = random.randrange(4) if random.random() < 0.2 else -1
    for number, step in enumerate(("collect", "outline", "write", "review")):
        chain, begin = trace.identity(), now
        words = random.randrange(150, 900)
        now += 0.6 + words / model.words_per_second
        usage = cast.call(random, model, random.randrange(800, 6_000), words)
        usage |= spoken.asked_alone(spoken.REPORTER, f"Now {step} the report on sales.", f"{step.capitalize()}: done, {words} words.")
        trace.send(trace.span(f"chat {model.name}", begin + 0.1, now, chain, {**named, **usage}, kind="client"))
        kind = {"openinference.span.kind": "CHAIN", "output.value": f"{step}: done"}
        error = "the reviewer found no sources" if number == failing else ""
        trace.send(trace.span(step, begin, now + 0.1, root, {**named, **kind}, identity=chain, error=error), service=_worker(step))
        now += 0.3
    about = {"gen_ai.operation.name": "invoke_workflow", "input.value": "Write the monthly report.", "output.value": "12 pages"}
    failure = "the report has no sources" if failing >= 0 else ""
    trace.send(trace.span("invoke_workflow report", 0.0, now, b"", {**named, **about}, identity=root, error=failure), after=1.0)
    return trace.sent


def _worker(step: str) -> Service:
    return cast.RESEARCH if step == "collect" else cast.WRITER


def batch(random: Random) -> list[Packet]:
    """A job that reads many invoices, one trace each; exports are retried now and then, so that some spans come twice."""
    session, model = f"invoices-{random.randbytes(3).hex()}", cast.MODELS[random.randrange(2)]
    packets: list[Packet] = []
    now = 0.0
    for number in range(random.randrange(15, 60)):
        trace = Trace(random, cast.INVOICES)
        root, words = trace.identity(), random.randrange(20, 80)
        end = now + 0.2 + words / model.words_per_second
        usage = cast.call(random, model, random.randrange(500, 3_500), words)
        usage |= spoken.asked_alone(
            spoken.READER, f"Invoice {number}, two pages.", f'{{"number": {number}, "total": {words * 17}.20, "currency": "EUR"}}'
        )
        called = trace.span(f"chat {model.name}", now + 0.05, end, root, usage, kind="client")
        about: dict[str, Value] = {"session.id": session, "agentmark.session_name": "Invoices of the night", "invoice.number": number}
        broken = random.random() < 0.05
        error = "no total found on the page" if broken else ""
        trace.send(called, trace.span("read invoice", now, end + 0.05, b"", about, identity=root, kind="consumer", error=error))
        if random.random() < 0.1:
            trace.again(random.uniform(0.5, 3.0))
        packets += trace.sent
        now = end + random.uniform(0.05, 0.4)
    return packets


def cron(random: Random) -> list[Packet]:
    """Work that belongs to no session."""
    trace = Trace(random, cast.SUPPORT)
    root = trace.identity()
    query = trace.span("SELECT tickets", 0.1, 0.1 + random.uniform(0.01, 0.4), root, {"db.system.name": "postgresql"}, kind="client")
    trace.send(query, trace.span("clean up tickets", 0.0, query.end + 0.1, b"", {}, identity=root))
    return trace.sent


KINDS: Final[tuple[tuple[Callable[[Random], list[Packet]], int], ...]] = ((chat, 10), (agent, 5), (workflow, 3), (batch, 2), (cron, 1))
"""The kinds of stories, and how often each is told."""


def spans_of(story: Story) -> list[Span]:
    """Every span once, however often it was sent."""
    return list({(span.trace, span.span): span for packet in story for span in packet.spans}.values())
