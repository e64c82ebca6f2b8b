"""On CI a skipped test counts as a failure: what is optional for users is installed there."""

import os

import pytest
from hypothesis import settings

# How long one example takes says more about who else uses the machine than about the code; what is slow is in bench/.
settings.register_profile("whatever the machine", deadline=None)
settings.load_profile("whatever the machine")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        os.environ.get("CI")
        and reporter
        and reporter.stats.get("skipped")
        and not hasattr(session.config, "workerinput")
    ):
        reporter.write_line("On CI nothing may be skipped.", red=True)
        session.exitstatus = 1
