import pytest


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Imported only after the settings of this session stand."""
    config.pluginmanager.import_plugin("tests.support.served")
