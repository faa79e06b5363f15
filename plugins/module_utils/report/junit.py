"""JUnit XML for build servers: a suite per node, a case per check, and the gate's word as a case of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from ansible_collections.gpu.fleet.plugins.module_utils.finding import Finding

from . import words
from .fleet import Fleet
from .node import Node

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAGS: Final = {"fail": "failure", "error": "error", "skip": "skipped"}


def document(fleet: Fleet) -> Iterator[str]:
    """Yield the document, node by node."""
    suites = [(node, list(_cases(fleet, node))) for node in fleet.nodes]
    tags = [tag for _, cases in suites for _, tag, _, _ in cases]
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f"<testsuites{_attributes(name=fleet.about.title)}{_counts(tags)}>\n"
    for node, cases in suites:
        stamp = {"timestamp": node.measured_at} if node.measured_at else {}
        yield f"<testsuite{_attributes(name=node.name, **stamp)}{_counts([tag for _, tag, _, _ in cases])}>\n<properties>\n"
        for key, value in _properties(fleet, node).items():
            if value:
                yield f"<property{_attributes(name=key, value=value)}/>\n"
        yield "</properties>\n"
        for name, tag, message, body in cases:
            head = f"<testcase{_attributes(classname=node.name, name=name)}"
            yield f"{head}><{tag}{_attributes(message=message)}>{escape(_clean(body))}</{tag}></testcase>\n" if tag else f"{head}/>\n"
        yield "</testsuite>\n"
    yield "</testsuites>\n"


def _properties(fleet: Fleet, node: Node) -> dict[str, str]:
    hardware = node.hardware
    return {
        "verdict": node.verdict,
        "expected verdict": node.expected_verdict,
        "gpus": hardware.gpus,
        "driver": hardware.driver,
        "notice": fleet.about.notice,
    }


def _cases(fleet: Fleet, node: Node) -> Iterator[tuple[str, str, str, str]]:
    """Yield (name, tag, message, text); the tag is "" for what passed."""
    if not node.in_run:
        yield "verdict", "skipped", f"{node.age(fleet.about.now)}: {words.VERDICT_WORDS[node.verdict]}", ""
        return
    gate = fleet.gates.get(node.name)
    if gate:
        yield "verdict", "" if gate.accepted else "failure", gate.message, ""
    by_check: dict[str, list[Finding]] = {}
    for finding in node.findings:  # the worst first, so the first of a check says how the check went
        by_check.setdefault(finding.check, []).append(finding)
    for check, findings in by_check.items():
        tag = _TAGS.get(findings[0].status, "")
        told = [finding for finding in findings if finding.status != "pass"]
        yield check, tag, told[0].message if told and tag else "", "\n".join(_line(finding) for finding in told)


def _line(finding: Finding) -> str:
    parts = [f"{words.whom_exactly(finding.subject)}: {finding.status}: {finding.message}"]
    for label, value in (("found", words.value(finding.observed)), ("expected", words.value(finding.expected)), ("source", finding.source)):
        if value:
            parts.append(f"{label} {value}")
    if finding.action != "none":
        parts.append(f"action {finding.action}")
    return "; ".join(parts)


def _counts(tags: list[str]) -> str:
    return _attributes(
        tests=str(len(tags)), failures=str(tags.count("failure")), errors=str(tags.count("error")), skipped=str(tags.count("skipped"))
    )


def _attributes(**values: str) -> str:
    return "".join(f" {key}={quoteattr(_clean(value))}" for key, value in values.items())


def _clean(text: str) -> str:
    """Replace what XML cannot carry."""
    return _NOT_XML.sub("\ufffd", text)
