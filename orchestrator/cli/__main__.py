"""`python -m orchestrator.cli`: the command line."""

from orchestrator.cli.entry import main

main()
