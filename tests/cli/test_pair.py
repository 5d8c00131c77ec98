"""The command `pair`."""

from __future__ import annotations

import json

from scheduler.cli.commands import main
from scheduler.record import load_record
from scheduler.record.pair_half import hand_over_step, pair_half


def test_two_checkpoints_give_two_records_that_meet(tmp_path, capsys):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    line = [
        "pair",
        "flow",
        "flow",
        "--hand-over",
        "wan2.2-t2v",
        "--steps",
        "4",
        "--second-cfg",
        "1",
    ]
    line += ["-o", str(first), "-p", str(second), "--no-evidence", "--quiet", "--json"]
    line += ["--store", str(tmp_path / "store")]
    assert main(line) == 0
    told = json.loads(capsys.readouterr().out)
    one, two = load_record(first), load_record(second)
    assert one.recipes == two.recipes and pair_half(one).hand_over == 0.875
    assert (one.conditions.cfg, two.conditions.cfg) == (2.0, 1.0)
    assert told["recipes"][0]["hand_over_step"] == hand_over_step(one.recipes[0])
    assert len(list((tmp_path / "store").glob("*.json"))) >= 2


def test_a_range_that_is_none_is_wrong_usage(capsys):
    try:
        main(["pair", "flow", "flow", "--hand-over", ".8", "--within", "x", "-o", "a", "-p", "b"])
    except SystemExit as stop:
        assert stop.code == 2
    assert "no range of sigmas" in capsys.readouterr().err
