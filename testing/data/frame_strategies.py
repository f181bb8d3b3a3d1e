"""hypothesis strategies for what a client may send to the socket: valid frames, nearly valid ones, and anything."""

import json

from hypothesis import strategies as st

VALID_HELLO = "(a valid hello)"  # to be replaced by one with a valid token

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 2**31, 2**31 + 1, 2**63, 2**64, 10**400]),
    st.floats(),
    st.text(),
    st.sampled_from(["hello", "after", "pong", "events", "\x00", "山岚", "\ud800"]),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=20,
)
near_frames = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from(["hello", "after", "pong", "Hello", ""]), scalars)},
    optional={"v": scalars, "token": scalars, "after": scalars, "epoch": scalars, "extra": json_values},
)
client_texts = st.one_of(
    st.just(VALID_HELLO),
    st.text(min_size=1),
    st.builds(json.dumps, json_values),
    st.builds(json.dumps, near_frames),
    st.builds(lambda depth, leaf: "[" * depth + leaf + "]" * depth, st.integers(1, 2000), st.sampled_from(["", "1"])),
    st.builds(lambda depth: '{"type":' * depth, st.integers(1, 500)),
    st.builds(lambda size: json.dumps({"type": "pong", "x": "y" * size}), st.integers(4000, 4200)),
    st.builds(lambda count: f'{{"type":"hello","v":1,"after":{"9" * count}}}', st.integers(1, 4000)),
    st.builds(lambda text, cut: text[: max(1, cut)], st.builds(json.dumps, near_frames), st.integers(1, 40)),
)
client_frames = st.one_of(client_texts, st.binary(min_size=1, max_size=5000))
