"""The catalog lists each task, and validates arguments before they are sent."""

import pytest

from src.queues.app import app
from src.queues.publisher import read_catalog
from tests.queues import sample


class TestTasks:
    def test_each_is_listed_with_its_docstring(self) -> None:
        catalog = read_catalog(app)
        assert catalog["system.ping"].description.startswith("Return `pong`")
        assert "notices.announce" in catalog
        assert not any(name.startswith("celery.") for name in catalog)

    def test_signatures_leave_out_self_and_injected_parameters(self) -> None:
        catalog = read_catalog(app)
        assert list(catalog[sample.mark.name].signature.parameters) == ["key", "value"]
        assert list(catalog[sample.flaky.name].signature.parameters) == ["failures"]
        assert list(catalog[sample.multiply.name].signature.parameters) == ["x", "y"]


class TestCalls:
    @pytest.mark.parametrize(
        ("task", "args", "kwargs", "fields"),
        [
            ("sample.add", [1, 2], {}, []),
            ("sample.add", [1], {"y": 2}, []),
            ("sample.mirror", [{"x": 1, "y": 2}], {}, []),
            ("sample.overdue", [], {"handles": True}, []),
            ("sample.add", [1], {}, ["args"]),
            ("sample.add", [], {"x": 1, "z": 2}, ["kwargs"]),
            ("sample.add", [1, "two"], {}, ["args.1"]),
            ("sample.add", ["one"], {"y": "two"}, ["args.0", "kwargs.y"]),
            ("sample.mirror", [{"x": 1}], {}, ["args.0"]),
            ("sample.multiply", [1, None], {}, ["args.1"]),
        ],
    )
    def test_arguments_are_validated_by_their_types(
        self, task: str, args: list[object], kwargs: dict[str, object], fields: list[str]
    ) -> None:
        assert list(read_catalog(app)[task].check_call(args, kwargs)) == fields


def test_only_results_that_somebody_waits_for_are_kept() -> None:
    kept = {name for name, task in app.tasks.items() if name in read_catalog(app) and not task.ignore_result}
    assert {name for name in kept if not name.startswith(("sample.", "tests."))} == {"system.ping"}
    assert app.conf.result_expires <= 3600
