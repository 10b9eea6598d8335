"""Phrases of HTTP statuses, and the names of errors that follow from them."""

from http import HTTPStatus

# Those of RFC 9110, which Python has from 3.13 on: names of errors must not depend on Python's version.
_RFC_9110 = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}


def phrase_of(status: int) -> str:
    """The reason phrase of a status, such as `Not Found`."""
    return _RFC_9110.get(status) or HTTPStatus(status).phrase


def error_name(status: int) -> str:
    """The name of an error that says no more than its status, such as `http.not_found`."""
    return "http." + phrase_of(status).lower().replace(" ", "_").replace("-", "_")
