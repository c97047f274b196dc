"""Template, effective settings, table rows and reference page."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hisf.errors import HisfError
from hisf.settings import (
    ALIASES,
    PARAMETERS,
    Kind,
    Parameter,
    as_markdown,
    as_table_rows,
    as_template,
    as_text,
    load_settings,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "parameters.md"


def reload(tmp_path, text, parameters=PARAMETERS):
    path = tmp_path / "rendered.par"
    path.write_text(text, encoding="utf-8")
    return load_settings([str(path)], parameters)


def test_template_gives_all_defaults(tmp_path):
    loaded = reload(tmp_path, as_template(PARAMETERS))
    assert loaded == load_settings([])
    assert all(loaded.is_set(parameter.name) for parameter in PARAMETERS)
    assert loaded.notes == ()


def test_template_explains_each_parameter():
    template = as_template(PARAMETERS)
    words = " ".join(template.replace("\n# ", " ").split())
    for parameter in PARAMETERS:
        assert parameter.help in words
        assert f"\n{parameter.name} = {parameter.default}".rstrip(" ") + "\n" in template
    for section in {parameter.section for parameter in PARAMETERS}:
        assert template.count(f"# ---- {section} -") == 1
    assert "one of mad, gauss, std" in words
    assert max(map(len, template.splitlines())) <= 100


WORD = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)


@given(
    st.dictionaries(WORD, st.tuples(st.text(max_size=30), st.text(max_size=2000)), max_size=4),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_template_of_any_parameters_can_be_read_back(tmp_path, declarations):
    parameters = []
    for word, (default, description) in declarations.items():
        try:
            parameters.append(Parameter(f"my.{word}", Kind.TEXT, default, description, "1"))
        except ValueError:
            continue
    template = as_template(parameters)
    assert reload(tmp_path, template, parameters) == load_settings([], parameters)


@given(
    st.lists(st.tuples(st.sampled_from([parameter.name for parameter in PARAMETERS]), st.text() | st.just("1e400, 2")))
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_effective_settings_can_be_read_back(tmp_path, pairs):
    try:
        loaded = load_settings([f"{name}={text}" for name, text in pairs])
    except HisfError:
        return
    text = as_text(loaded)
    again = reload(tmp_path, text)
    for name in loaded:
        if f"# {name} has a value for the command line only" in text:
            assert not again.is_set(name)
        else:
            assert again[name] == loaded[name]


@pytest.mark.parametrize("prefix", ["a # b", " a", "a\t", "#", "a\nscfind.threshold = 9", "x" * 1100, "\udce9"])
def test_text_that_no_file_can_hold_is_not_written(tmp_path, prefix):
    text = as_text(load_settings([f"parameter.prefix={prefix}"]))
    assert "# parameter.prefix has a value for the command line only" in text
    assert reload(tmp_path, text) == load_settings([])


def test_effective_settings_use_canonical_names():
    text = as_text(load_settings(["output.marginCubelets=3", "scfind.kernelsZ=0,5.9", "dilation.enable=True"]))
    assert "output.marginCubeletsXY = 3\noutput.marginCubeletsZ = 3\n" in text
    assert "output.marginCubelets =" not in text
    assert "scfind.kernelsZ = 0, 5\n" in text
    assert "dilation.enable = false\n" in text


def test_search_finds_by_name_help_and_former_name():
    names = {row.name for row in as_table_rows(PARAMETERS, "LINKER")}
    assert names >= {parameter.name for parameter in PARAMETERS if parameter.section == "linker"}
    assert "scfind.kernelsXY" in {row.name for row in as_table_rows(PARAMETERS, "gaussians")}
    assert {row.name for row in as_table_rows(PARAMETERS, "background.")} == {
        parameter.name for parameter in PARAMETERS if parameter.section == "rippleFilter"
    }
    assert as_table_rows(PARAMETERS, "xyzzy") == []
    assert len(as_table_rows(PARAMETERS)) == len(PARAMETERS)


def test_row_says_type_range_and_effect():
    (row,) = as_table_rows(PARAMETERS, "scfind.threshold")
    assert row.type == "float, in noise, greater than 0"
    assert (row.default, row.since) == ("5.0", "2.4")
    (row,) = as_table_rows(PARAMETERS, "input.primaryBeam")
    assert "not in this version" in row.help


def test_page_has_every_parameter_and_alias():
    page = as_markdown(PARAMETERS)
    for name in [parameter.name for parameter in PARAMETERS] + [alias.name for alias in ALIASES]:
        assert page.count(f"\n| `{name}` |") == 1


def test_page_survives_a_bar_in_a_help_text():
    page = as_markdown([Parameter("my.key", Kind.TEXT, "", "Either a|b.", "1")])
    assert "Either a\\|b." in page


def test_page_in_docs_is_up_to_date():
    assert DOCUMENT.read_text(encoding="utf-8") == as_markdown(PARAMETERS), (
        "write hisf.settings.as_markdown(hisf.settings.PARAMETERS) to docs/parameters.md"
    )
