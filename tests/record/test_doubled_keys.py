"""A key that stands twice: the sentence names that key, not one beside it."""

from __future__ import annotations

import pytest

from scheduler.errors import RecordError, WorkflowError
from scheduler.record.parser import parse as parse_record
from scheduler.workflow import parse as parse_workflow

READERS = [(parse_record, RecordError), (parse_workflow, WorkflowError)]
OBJECTS = {
    "first": '{"twin": 1, "twin": 2, "other": 3, "another": 4}',
    "last": '{"other": 3, "another": 4, "twin": 1, "twin": 2}',
    "apart": '{"twin": 1, "other": 3, "twin": 2, "another": 4}',
    "inside": '{"other": 3, "another": {"other": 4, "twin": 1, "twin": 2}}',
}


@pytest.mark.parametrize("reader, error", READERS, ids=["record", "workflow"])
@pytest.mark.parametrize("where", OBJECTS)
def test_the_key_that_stands_twice_is_named(reader, error, where):
    with pytest.raises(error, match="key 'twin' stands twice"):
        reader(OBJECTS[where])
