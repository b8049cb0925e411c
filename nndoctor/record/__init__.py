"""What was seen: dataclasses and JSON lines. No torch, no judgement, no formatting."""
