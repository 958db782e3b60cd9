"""Structure files over pages and REST: the choice among several in one file, notes, and hints."""

from __future__ import annotations

import httpx
from fastapi import FastAPI

from tests.crystal.structures.cifs import write_cif
from tests.support.app import make_client
from tests.support.waiting import until_answer

HM = "_symmetry_space_group_name_H-M"
CUBE = {HM: "'P m -3 m'"}
COLD = write_cif(name="cold", items=CUBE)
WARM = write_cif((4.6, 4.6, 4.6, 90, 90, 90), (("Cs1", 0, 0, 0), ("I1", 0.5, 0.5, 0.5)), name="warm", items=CUBE)
PARTLY = write_cif(
    sites=(("Mg1", 0, 0, 0, 0.5),), columns=("label", "fract_x", "fract_y", "fract_z", "occupancy"), name="mixed"
)


async def post(client: httpx.AsyncClient, text: str, **data: str) -> httpx.Response:
    return await client.post("/api/v1/structures", files={"file": ("made.cif", text.encode())}, data=data)


async def test_the_structures_of_a_file_are_a_choice_over_rest(app: FastAPI) -> None:
    client = await make_client(app)
    first = (await post(client, COLD + WARM)).json()
    assert (first["block"], first["blocks"]) == ("cold", ["cold", "warm"])
    assert "2 structures" in first["notes"][0]
    second = (await post(client, COLD + WARM, block="warm")).json()
    assert (second["block"], second["parameters"]["a"]) == ("warm", 4.6)
    refused = await post(client, PARTLY + WARM)
    assert refused.status_code == 422
    problem = refused.json()
    assert "Mg1 0.5" in problem["detail"] and "The file may be right" in problem["hint"]
    assert problem["errors"][1] == {
        "field": "structure.block",
        "reason": "names the structure of the file",
        "value": "",
        "choices": ["mixed", "warm"],
    }
    assert (await post(client, COLD + WARM, block="x" * 300)).status_code == 422


async def test_the_structures_of_a_file_are_a_choice_on_the_pages(app: FastAPI) -> None:
    client = await make_client(app)
    fragment = {"hx-request": "true", "hx-request-type": "partial"}
    for page in ("/new/scf", "/workflows/convergence"):

        async def send(text: str, source: str = "", page: str = page, **data: str) -> str:
            files = {"structure_file": ("made.cif", text.encode())}
            answer = await client.post(f"{page}/structure{source}", data=data, files=files, headers=fragment)
            assert answer.status_code == 200
            return answer.text

        read = await send(COLD + WARM)
        assert f'hx-post="{page}/structure?source=block"' in read
        assert '<option value="cold" selected>' in read and '<option value="warm">' in read
        chosen = await send(COLD + WARM, "?source=block", structure_block="warm")
        assert '<option value="warm" selected>' in chosen and "4.6" in chosen
        # What was chosen of another file is not asked of this one.
        assert "P" in (single := await send(WARM, structure_block="cold")) and "structure_block" not in single
        refused = await send(PARTLY + WARM)
        assert "Mg1 0.5" in refused and '<option value="warm">' in refused and "choose a data block" in refused
        assert '<option value="&lt;b&gt;' in await send(COLD.replace("data_cold", "data_<b>") + WARM)


SHARED = write_cif(
    sites=(("Mg1", 0, 0.5, 0.5, 0.667), ("Fe1", 0, 0.5, 0.5, 0.333), ("Ag1", 0.25, 0.25, 0.25, 0.5)),
    columns=("label", "fract_x", "fract_y", "fract_z", "occupancy"),
    name="shared",
    items=CUBE,
)


async def test_ordered_variants_are_a_choice_over_rest(app: FastAPI) -> None:
    client = await make_client(app)
    refused = await post(client, SHARED)
    assert refused.status_code == 422
    problem = refused.json()
    assert "partly occupied sites (Mg1 0.667, Fe1 0.333, Ag1 0.5)" in problem["detail"]
    assert "Choose an ordered variant" in problem["hint"]
    (offer,) = [error for error in problem["errors"] if error["field"] == "structure.variant"]
    choices = offer["choices"]
    assert len(choices) > 3 and choices[0].startswith("1: Ag4 Fe Mg2, ")
    read = (await post(client, SHARED, variant=choices[1])).json()
    assert (read["variant"], read["variants"]) == (choices[1], choices)
    assert f"ordered variant 2 of {len(choices)}" in read["notes"][0]
    assert read["parameters"]["title"].endswith(f"variant 2 of {len(choices)}")
    assert (await post(client, SHARED, variant="2")).json()["parameters"] == read["parameters"]
    assert (await post(client, SHARED, variant="99")).status_code == 422
    assert (await post(client, SHARED, variant="x" * 500)).status_code == 422
    ordered = (await post(client, COLD)).json()
    assert (ordered["variant"], ordered["variants"]) == ("", [])


async def test_ordered_variants_are_a_choice_on_the_pages(app: FastAPI) -> None:
    client = await make_client(app)
    fragment = {"hx-request": "true", "hx-request-type": "partial"}
    choices = (await post(client, SHARED)).json()["errors"][1]["choices"]
    for page in ("/new/scf", "/workflows/convergence"):

        async def send(text: str, source: str = "", page: str = page, **data: str) -> str:
            files = {"structure_file": ("made.cif", text.encode())}
            answer = await client.post(f"{page}/structure{source}", data=data, files=files, headers=fragment)
            assert answer.status_code == 200
            return answer.text

        refused = await send(SHARED)
        assert f'hx-post="{page}/structure?source=variant"' in refused and "Mg1 0.667" in refused
        assert "choose an arrangement" in refused and f'<option value="{choices[2]}">' in refused
        chosen = await send(SHARED, "?source=variant", structure_variant=choices[2])
        assert f'<option value="{choices[2]}" selected>' in chosen
        assert f"ordered variant 3 of {len(choices)}" in chosen and f"variant 3 of {len(choices)}" in chosen
        # A variant of another file, or of another data block, is not asked of this one.
        assert "structure_variant" not in await send(COLD, structure_variant=choices[2])
        both = await send(SHARED + WARM, "?source=variant", structure_block="shared", structure_variant=choices[2])
        assert '<option value="shared" selected>' in both and f'<option value="{choices[2]}" selected>' in both
        other = await send(SHARED + WARM, "?source=block", structure_block="warm", structure_variant=choices[2])
        assert '<option value="warm" selected>' in other and "structure_variant" not in other


async def test_no_variant_is_chosen_where_nobody_looks(app: FastAPI) -> None:
    client = await make_client(app)
    asked = {"template": "scf", "cluster": "here", "name": "shared", "parameters": {}, "submit": False}
    batch = (await client.post("/api/v1/batches", json=asked | {"rows": [{"name": "a"}]})).json()["id"]
    single = write_cif(
        sites=(("Ag1", 0.5, 0, 0, "1/3"),),
        columns=("label", "fract_x", "fract_y", "fract_z", "occupancy"),
        items=CUBE,
    )
    assert len((await post(client, single)).json()["errors"][1]["choices"]) == 1
    files = [("files", ("s.cif", single.encode()))]
    assert (await client.post(f"/api/v1/batches/{batch}/structures", files=files)).status_code == 201
    found = await until_answer(
        client, f"/api/v1/batches/{batch}", lambda answer: all(row["state"] != "new" for row in answer["rows"])
    )
    assert "partly occupied sites (Ag1 0.333333)" in found["rows"][1]["message"]
    data = {"p_input_shrinks": "2, 4", "cluster": "here"}
    answer = await client.post(
        "/workflows/convergence/each", data=data, files=[("structures", ("s.cif", single.encode()))]
    )
    assert answer.status_code == 422 and "partly occupied" in answer.text


async def test_what_nobody_looks_at_must_leave_no_doubt(app: FastAPI) -> None:
    client = await make_client(app)
    asked = {"template": "scf", "cluster": "here", "name": "several", "parameters": {}, "submit": False}
    batch = (await client.post("/api/v1/batches", json=asked | {"rows": [{"name": "a"}]})).json()["id"]
    wrong = write_cif(items=CUBE | {"_chemical_formula_sum": "'Po2 O'"})
    right = write_cif(items=CUBE | {"_chemical_formula_sum": "Po"})
    files = [
        ("files", (name, text.encode())) for name, text in (("w.cif", wrong), ("m.cif", COLD + WARM), ("r.cif", right))
    ]
    assert (await client.post(f"/api/v1/batches/{batch}/structures", files=files)).status_code == 201
    found = await until_answer(
        client, f"/api/v1/batches/{batch}", lambda answer: all(row["state"] != "new" for row in answer["rows"])
    )
    messages = {row["message"] for row in found["rows"][1:]}
    assert any("leaves a doubt" in text and "declares Po2 O" in text for text in messages)
    assert any("2 structures (cold, warm)" in text for text in messages)
    assert sum("doubt" in text for text in messages) == 2
    assert "declares Po2 O" in "".join((await post(client, wrong)).json()["notes"])
    data = {"p_input_shrinks": "2, 4", "cluster": "here"}
    answer = await client.post(
        "/workflows/convergence/each", data=data, files=[("structures", ("w.cif", wrong.encode()))]
    )
    assert answer.status_code == 422 and "leaves a doubt" in answer.text


async def test_a_hint_blames_a_file_only_where_that_is_proved(app: FastAPI) -> None:
    client = await make_client(app)
    for text, words in (
        (write_cif(items={HM: "'X y z'"}), "may be right and only unknown here"),
        (write_cif((5.6, 5.6, 5.6, 90, 90, 90), items={HM: "'F d -3 m'"}), "Add to the file what you know"),
        (write_cif(sites=(("Po1", 0, 0, 0), ("F1", 0.1, 0, 0))), "alternatives of a disorder"),
        ("data_a\n", "Compare the file with its source"),
    ):
        problem = (await post(client, text)).json()
        assert words in problem["hint"], problem
        assert "Correct" not in problem["hint"]
