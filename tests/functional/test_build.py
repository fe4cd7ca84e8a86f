# SPDX-License-Identifier: BSD-2-Clause
"""The build rebuilds what it must and nothing else, and never links anything stale.

All builds here are without a guest (PAYLOAD=none): they need no downloads.
"""

import hashlib
import re
import shutil
import sys
from pathlib import Path

import pytest

from conftest import TREE, make

sys.path.insert(0, str(TREE / "tests"))
from repro import copy_tree  # noqa: E402 pylint: disable=wrong-import-position,import-error

IMAGE = ("PAYLOAD=none", "all")


def compiled(done):
    """Files that a make compiled, from its output."""
    return sorted(re.findall(r"^  CC +(\S+)", done.stdout, re.M))


def linked(done):
    """True if a make linked the image."""
    return re.search(r"^  LINK ", done.stdout, re.M) is not None


def set_value(out, symbol, value):
    """Changes one line of .config, as an editor would."""
    config = Path(out) / ".config"
    text, count = re.subn(rf"^(# )?CONFIG_{symbol}[= ].*$", f"CONFIG_{symbol}={value}", config.read_text(), flags=re.M)
    assert count == 1, f"{symbol} is not in .config"
    config.write_text(text)


def digest(out):
    """Hash of the image in a build folder."""
    return hashlib.sha256((Path(out) / "husk").read_bytes()).hexdigest()


@pytest.fixture(scope="module", name="out")
def out_folder(tmp_path_factory):
    """A finished build of linux_virt."""
    out = tmp_path_factory.mktemp("out")
    make(out, "linux_virt_defconfig", *IMAGE)
    return out


@pytest.fixture(name="tree")
def tree_copy(tmp_path):
    """A copy of the tree that a test may damage."""
    tree = tmp_path / "tree"
    copy_tree(tree)
    return tree


def test_nothing_changed_nothing_built(out):
    """A second make has nothing to do."""
    done = make(out, *IMAGE)
    assert not compiled(done) and not linked(done)


def users(symbol):
    """Sources that include a symbol's header."""
    sources = [path for folder in ("core", "arch", "features", "images") for path in (TREE / folder).rglob("*.c")]
    return sorted(str(p.relative_to(TREE)) for p in sources if f"<config/{symbol}.h>" in p.read_text())


@pytest.mark.parametrize("symbol, value", [
    ("RAM_MB", "300"),
    ("NAME", '"other $name # \\"x\\""'),
    ("DIAGNOSE_SILENCE_S", "61"),
])
def test_changed_value_rebuilds_its_users(out, symbol, value):
    """Only what includes the symbol's header is compiled again."""
    set_value(out, symbol, value)
    done = make(out, *IMAGE)
    assert compiled(done) == users(symbol) != []
    assert linked(done)


def test_changed_header_rebuilds_its_users(tree):
    """A header's change reaches the objects that include it, and the digest of the core."""
    out = tree / "build"
    make(out, "linux_virt_defconfig", *IMAGE, tree=tree)
    header = tree / "features/uart-ns16550/uart_ns16550.h"
    header.write_text(header.read_text() + "\n")
    built = compiled(make(out, *IMAGE, tree=tree))
    assert "features/uart-ns16550/uart_ns16550.c" in built
    assert not [name for name in built if name.startswith(("core/", "arch/x86_64"))]


def test_changed_flags_rebuild(out):
    """Another compiler flag recompiles, and the old one again."""
    assert "core/bus.c" in compiled(make(out, "WERROR=0", *IMAGE))
    assert "core/bus.c" in compiled(make(out, *IMAGE))


def test_switching_configurations_links_nothing_stale(tmp_path):
    """One folder used for several configurations gives what clean folders give."""
    names = ("linux_virt", "pc_octeon", "linux_octeon", "linux_virt")
    shared = tmp_path / "shared"
    switched = []
    for name in names:
        make(shared, f"{name}_defconfig", *IMAGE)
        switched.append(digest(shared))
    clean = {}
    for name in set(names):
        make(tmp_path / name, f"{name}_defconfig", *IMAGE)
        clean[name] = digest(tmp_path / name)
    assert switched == [clean[name] for name in names]
    assert len(set(clean.values())) == len(clean)


def test_feature_that_is_off_leaves_no_trace(out):
    """No descriptor, no symbol, no string."""
    make(out, "linux_virt_defconfig", *IMAGE)
    assert b"monitor_command_" in (out / "husk.debug").read_bytes()
    set_value(out, "MONITOR", "n")
    make(out, *IMAGE)
    image = (out / "husk").read_bytes()
    assert b"features/monitor" not in (out / "husk.debug").read_bytes()
    assert b"behind Ctrl-A c" not in image


def test_feature_can_be_removed_with_its_folder(tree):
    """Nothing but its `source` line knows of a feature."""
    shutil.rmtree(tree / "features/monitor")
    kconfig = tree / "Kconfig"
    kconfig.write_text(kconfig.read_text().replace('source "features/monitor/Kconfig"\n', ""))
    make(tree / "build", "linux_virt_defconfig", *IMAGE, tree=tree)


def test_removed_symbol_leaves_no_header(tree):
    """A symbol that Kconfig no longer has cannot be used any more."""
    out = tree / "build"
    make(out, "linux_virt_defconfig", *IMAGE, tree=tree)
    header = out / "gen/config/COUNTER_HZ.h"
    assert header.exists()
    kconfig = tree / "Kconfig"
    text, count = re.subn(r"\nconfig COUNTER_HZ\n(\t.*\n|  .*\n|\n)+", "\n", kconfig.read_text())
    assert count == 1
    kconfig.write_text(text)
    done = make(out, *IMAGE, tree=tree, check=False)
    assert not header.exists()
    assert done.returncode != 0 and "COUNTER_HZ.h" in done.stdout


def test_core_must_not_name_a_symbol(tree):
    """The core refuses to compile if it mentions the configuration, and says what to do."""
    source = tree / "core/bus.c"
    source.write_text(source.read_text() + "/* CONFIG_RAM_MB */\n")
    done = make(tree / "build", "linux_virt_defconfig", "core-digest", tree=tree, check=False)
    assert done.returncode != 0
    assert "core/bus.c" in done.stdout and "struct params" in done.stdout


def test_check_core_can_fail(tree):
    """A core compiled differently for one host is found."""
    makefile = tree / "Makefile"
    text, count = re.subn(r"^CORE_CFLAGS := .*$", r"\g<0> $(if $(CONFIG_HOST_LINUX),-O1)", makefile.read_text(), flags=re.M)
    assert count == 1
    makefile.write_text(text)
    done = make(tree / "build", "check-core", tree=tree, check=False)
    assert done.returncode != 0
    assert re.search(r"FAIL +core: digest", done.stdout)


def test_no_path_of_this_machine_in_the_image(out):
    """Neither the tree nor the build folder is named, not even in the debug information."""
    make(out, "linux_virt_defconfig", *IMAGE)
    image = (out / "husk.debug").read_bytes()
    for path in (str(TREE), str(out), str(Path.home() / ".cache")):
        assert path.encode() not in image


def test_default_configuration_is_announced(tmp_path):
    """make without a .config takes the default and says so."""
    done = make(tmp_path, *IMAGE)
    assert "pc_octeon_defconfig" in done.stdout
    assert 'CONFIG_NAME="pc_octeon"' in (tmp_path / ".config").read_text()


def test_unknown_defconfig_lists_the_known(tmp_path):
    """A typo is answered with what there is."""
    done = make(tmp_path, "pc_octoen_defconfig", check=False)
    assert done.returncode != 0
    assert "pc_octeon_defconfig" in done.stdout


def test_savedefconfig_round_trip(out, tmp_path):
    """What savedefconfig writes gives the same configuration again."""
    make(out, "pc_virt_defconfig", "savedefconfig")
    assert 'CONFIG_NAME="pc_virt"' in (out / "defconfig").read_text()
    before = (out / ".config").read_text()
    source = tmp_path / "tree"
    copy_tree(source)
    shutil.copy(out / "defconfig", source / "defconfigs/again_defconfig")
    make(source / "build", "again_defconfig", tree=source)
    assert (source / "build/.config").read_text() == before


def test_features_lists_what_is_linked(out):
    """make features names every linked feature with its purpose, and the core's digest."""
    make(out, "linux_virt_defconfig", *IMAGE)
    listing = make(out, "PAYLOAD=none", "features").stdout
    assert re.search(r"^host-linux +\d+ +\d+ +\S", listing, re.M)
    assert re.search(r"^uart-ns16550 +\d+ +\d+ +\S", listing, re.M)
    assert "host-pc" not in listing and "machine-octeon" not in listing
    assert (out / "core/digest").read_text().strip() in listing


def test_size_fits(out):
    """The hypervisor stays small: text and rodata of pc_virt at most 192 KiB."""
    make(out, "pc_virt_defconfig", *IMAGE)
    text = re.search(r"^hypervisor +(\d+)", make(out, "PAYLOAD=none", "size").stdout, re.M)
    assert text and int(text[1]) <= 192 * 1024
