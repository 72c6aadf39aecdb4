"""Judgement to files for people and machines: JUnit, Markdown, HTML, JSON, KCIDB."""
