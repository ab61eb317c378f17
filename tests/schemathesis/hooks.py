"""What schemathesis must be told of this API.

An answer is lines of JSON, and the description has the schema of one line: each
is checked. Some parameters can be of the right form and wrong even so: a mark,
which only the server can make, a moment that comes after the other one, and those of
`find` and `incidents` that do not go together.
"""

import json
import re

import schemathesis

LINES = "application/x-ndjson"


@schemathesis.deserializer(LINES)
def lines(_ctx, response):
    text = response.content.decode("utf-8")
    if text and not text.endswith("\n"):
        raise ValueError("the last line has no end")
    return [json.loads(line) for line in text.split("\n")[:-1]]


@schemathesis.hook
def before_load_schema(_ctx, raw_schema):
    for path in raw_schema["paths"].values():
        for operation in path.values():
            content = operation["responses"]["200"].get("content", {})
            if LINES in content:
                content[LINES]["schema"] = {
                    "type": "array",
                    "items": content[LINES]["schema"],
                }


@schemathesis.hook
def map_path_parameters(_ctx, path_parameters):
    # The store has the profiles 1 to 4, each with the subprofile 2: half of the
    # numbers become one of these.
    for name, value in (path_parameters or {}).items():
        if isinstance(value, int) and value % 2:
            path_parameters[name] = 2 if name == "subprofile" else value // 2 % 4 + 1
    return path_parameters


@schemathesis.hook
def map_query(_ctx, query):
    # Else most questions would be refused for a mark that nobody has made, or for
    # beginning in the future: a quarter stays as it is.
    for name, right, instead in (
        ("after", r"[A-Za-z0-9_-]{16,100}", None),
        ("from", r"(@|[0-9]{4}-).*", "@1760000000"),
        ("to", r"(@|[0-9]{4}-).*", "tomorrow"),
    ):
        value = (query or {}).get(name)
        if isinstance(value, str) and re.fullmatch(right, value) and sum(value.encode()) % 4:
            if instead is None:
                del query[name]
            else:
                query[name] = instead
    return query


@schemathesis.hook
def filter_failure(_ctx, failure, _case, response):
    # Who has shown no good token too often is not told what is wrong, and refused
    # all the same. The answer is the failure's own where the check has asked again.
    if response.status_code == 429 or "got `429 Too Many Requests`" in failure.message:
        return False
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    try:
        where = response.json().get("where")
    except ValueError:
        return True
    alone = {
        "/v1/find": ("q", "field", "value", "interest", "prefix", "match", "ignore-case", "at"),
        "/v1/incidents": ("undo", "since", "until", "within"),
        "/v1/loops": ("within",),
    }
    return where not in ("after", "from", *alone.get(_case.operation.path, ()))
