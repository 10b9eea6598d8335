"""The OpenAPI document: what generators and people need from it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from src.core.exceptions import AppError
from src.manage import documents
from src.schemas.base import BaseSchema
from tests.support.documented import documented_response, error_names

pytestmark = pytest.mark.unit

APP = documents.application()
DOCUMENT = APP.openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}


def parameters(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {parameter["name"]: parameter for parameter in operation.get("parameters", [])}


PARAMETERS = [(name, key, one) for name, found in OPERATIONS.items() for key, one in parameters(found).items()]


def responses() -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The responses of all operations: name of the operation, status, response."""
    for name, operation in OPERATIONS.items():
        for status in operation["responses"]:
            yield name, int(status), documented_response(operation, status, APP)


class TestNames:
    def test_of_operations_are_those_of_their_functions(self) -> None:
        ids = [operation["operationId"] for operation in OPERATIONS.values()]
        assert len(ids) == len(set(ids))
        assert OPERATIONS["GET /api/v1/users"]["operationId"] == "list_users"

    def test_of_generic_schemas_can_be_read(self) -> None:
        assert {"UserResponsePage", "UserResponseEnvelope", "EmptyEnvelope", "RoleResponseListEnvelope"} <= {*SCHEMAS}
        assert all(name.isidentifier() and "__" not in name and not name.endswith("_") for name in SCHEMAS)

    def test_of_schemas_are_referred_to(self) -> None:
        text = json.dumps(DOCUMENT)
        assert [name for name in SCHEMAS if f'"#/components/schemas/{name}"' not in text] == []


class TestParameters:
    def test_leave_out_headers_that_browsers_set_themselves(self) -> None:
        assert [name for name, key, _ in PARAMETERS if key.lower() == "user-agent"] == []

    def test_include_the_refresh_token_as_required(self) -> None:
        parameter = parameters(OPERATIONS["POST /api/v1/auth/token/refresh"])["X-Refresh-Token"]
        assert parameter["required"]
        assert parameter["schema"]["type"] == "string"
        assert "anyOf" not in parameter["schema"]


class TestSecurity:
    def test_offers_a_bearer_token_beside_the_login_of_swagger(self) -> None:
        assert OPERATIONS["GET /api/v1/users"]["security"] == [{"AccessToken": []}, {"BearerToken": []}]
        assert DOCUMENT["components"]["securitySchemes"]["BearerToken"]["scheme"] == "bearer"

    def test_says_what_needs_none(self) -> None:
        assert OPERATIONS["POST /api/v1/auth/login"]["security"] == []


class TestRequired:
    def test_are_fields_of_responses_that_have_a_default(self) -> None:
        assert SCHEMAS["UserResponseEnvelope"]["required"] == ["code", "message", "ts", "data"]
        assert "required" not in SCHEMAS["Liveness"] or SCHEMAS["Liveness"]["required"] == ["status"]

    def test_are_not_fields_of_requests_that_have_a_default(self) -> None:
        assert SCHEMAS["UserCreate"]["required"] == ["name", "email", "username", "password", "kid"]

    def test_are_not_properties_that_generators_take_for_required(self) -> None:
        assert [name for name in SCHEMAS for one in properties(name).values() if "default" in one] == []
        assert properties("UserCreate")["status"]["description"] == "Whether the user is enabled. By default `true`."

    def test_is_not_the_total_that_a_page_may_leave_out(self) -> None:
        assert "total" not in SCHEMAS["UserResponsePage"]["required"]


class TestASchedule:
    @pytest.mark.parametrize("name", ["ScheduleCreate", "SchedulePreview"])
    def test_has_one_alternative_for_each_kind(self, name: str) -> None:
        kinds = {one["properties"]["kind"]["const"]: one for one in SCHEMAS[name]["oneOf"]}
        assert kinds.keys() == {"interval", "crontab", "solar", "clocked"}
        assert {"kind", "every", "period"} <= {*kinds["interval"]["required"]}
        assert "crontab" not in kinds["interval"]["properties"]
        assert "timezone" not in kinds["crontab"]["required"]
        assert kinds["interval"]["properties"]["every"]["type"] == "integer"
        assert [one["properties"]["kind"]["examples"] for one in kinds.values()] == [[kind] for kind in kinds]

    def test_is_updated_in_parts(self) -> None:
        assert {"kind", "every", "crontab"} <= SCHEMAS["ScheduleUpdate"]["properties"].keys()
        assert "required" not in SCHEMAS["ScheduleUpdate"]


class TestErrors:
    def test_have_an_example_for_each_name(self) -> None:
        for name, status, response in responses():
            if "/api/" in name and status >= 400:
                examples = response["content"]["application/json"]["examples"]
                assert examples.keys() == error_names(OPERATIONS[name], status, APP), name
                for error, example in examples.items():
                    body = example["value"]
                    assert (body["code"], body["error"]) == (status, error), name
                    assert body["message"] != AppError.message, name

    def test_are_those_of_dependencies_and_endpoint(self) -> None:
        operation = OPERATIONS["PUT /api/v1/roles/{roleId}"]
        statuses = {"400", "401", "403", "404", "409", "412", "413", "422", "503"}
        assert statuses <= operation["responses"].keys()
        assert error_names(operation, 403, APP) == {"auth.permission_denied", "auth.not_yours_to_grant"}

    def test_have_the_same_names_in_each_version_of_python(self) -> None:
        assert error_names(OPERATIONS["POST /api/v1/users"], 413, APP) == {"http.content_too_large"}

    def test_are_few_where_little_can_go_wrong(self) -> None:
        assert OPERATIONS["GET /livez"]["responses"].keys() == {"200"}
        assert OPERATIONS["GET /api/v1/auth/keys/public"]["responses"].keys() == {"200", "503"}


class TestHeaders:
    def test_include_the_request_id(self) -> None:
        without = [(name, status) for name, status, one in responses() if "X-Request-ID" not in one["headers"]]
        assert without == []

    @pytest.mark.parametrize(
        ("name", "status", "header"),
        [
            ("GET /api/v1/users", "401", "WWW-Authenticate"),
            ("GET /api/v1/users", "503", "Retry-After"),
            ("POST /api/v1/auth/login", "429", "Retry-After"),
            ("POST /api/v1/auth/login", "200", "X-Device-Token"),
            ("GET /api/v1/roles/{roleId}", "200", "ETag"),
            ("GET /api/v1/files/{fileId}/content", "416", "Content-Range"),
        ],
    )
    def test_are_those_of_the_status(self, name: str, status: str, header: str) -> None:
        assert header in documented_response(OPERATIONS[name], status, APP)["headers"]


def properties(name: str) -> dict[str, dict[str, Any]]:
    """The properties of a schema, with what they refer to."""
    parts = (SCHEMAS[name], *SCHEMAS[name].get("oneOf", ()))
    found = {key: value for part in parts for key, value in part.get("properties", {}).items()}
    return {key: SCHEMAS.get(value.get("$ref", "").rpartition("/")[2], {}) | value for key, value in found.items()}


def subclasses(cls: type[BaseModel]) -> dict[str, type[BaseModel]]:
    return {cls.__name__: cls} | {
        name: one for direct in cls.__subclasses__() for name, one in subclasses(direct).items()
    }


class TestProse:
    """Every schema, property and parameter has a description and an example."""

    def test_describes_schemas_and_their_properties(self) -> None:
        described = list(SCHEMAS.items())
        described += [(f"{name}.{key}", one) for name in SCHEMAS for key, one in properties(name).items()]
        assert [name for name, one in described if not one.get("description") or "examples" not in one] == []

    def test_describes_operations(self) -> None:
        assert [name for name, operation in OPERATIONS.items() if not operation["description"].endswith(".")] == []

    def test_describes_parameters(self) -> None:
        assert [one for one in PARAMETERS if not one[2]["description"] or "examples" not in one[2]["schema"]] == []

    def test_fills_in_required_parameters_only(self) -> None:
        assert [one for one in PARAMETERS if one[2]["required"] != ("example" in one[2])] == []

    def test_introduces_the_api(self) -> None:
        assert DOCUMENT["info"].keys() >= {"title", "version", "summary", "description", "contact", "license"}
        assert DOCUMENT["servers"]
        for topic in ("Log in", "Responses", "Errors", "Lists"):
            assert f"## {topic}" in DOCUMENT["info"]["description"]

    def test_describes_tags(self) -> None:
        used = [tag for operation in OPERATIONS.values() for tag in operation["tags"]]
        assert all(tag["description"] and tag["name"] in used for tag in DOCUMENT["tags"])


class TestExamples:
    CLASSES = subclasses(BaseSchema)

    def test_are_valid(self) -> None:
        for name in sorted(SCHEMAS.keys() & self.CLASSES.keys()):
            (example,) = SCHEMAS[name]["examples"]
            assert {*SCHEMAS[name].get("required", ())} <= example.keys(), name
            self.CLASSES[name].model_validate(example)  # its error names the class

    def test_of_nearly_all_schemas_are_validated(self) -> None:
        others = SCHEMAS.keys() - self.CLASSES.keys()
        assert all("enum" in SCHEMAS[name] or name == "JsonValue" for name in others)
