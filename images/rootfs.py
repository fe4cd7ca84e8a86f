# SPDX-License-Identifier: BSD-2-Clause
"""Makes a Debian root file system from packages, for any architecture, without root and without running any of them.

Packages are unpacked, and what their maintainer scripts would do that matters is done here, from lists in
images/rootfs/packages.toml: users and groups from base-passwd and systemd's sysusers.d, alternatives, a few copies, and
links that enable units. dpkg's database says "unpacked", so that `dpkg --configure -a` in the guest, which apt asks for
before it installs anything, runs the scripts themselves.
"""

import dataclasses
import os
import re
import stat
import subprocess
import tarfile
import tomllib

from files import InputError, read

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rootfs")
#: folders of packages that are links in a merged /usr
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32")
#: GECOS, home and shell of users that sysusers.d does not say
NOLOGIN = "/usr/sbin/nologin"


@dataclasses.dataclass
class Node:
    """A file, folder or symbolic link."""

    mode: int
    data: bytes = b""  # target of a link
    uid: int = 0
    gid: int = 0
    mtime: int = 0


class Tree:
    """Paths without a leading slash, and what is there."""

    def __init__(self):
        self.nodes = {"": Node(stat.S_IFDIR | 0o755)}

    def add(self, path, node):
        """Adds a node and the folders above it that are missing."""
        above = os.path.dirname(path)
        if above not in self.nodes:
            self.add(above, Node(stat.S_IFDIR | 0o755))
        self.nodes[path] = node

    def file(self, path, text, mode=0o644):
        """Adds a file of root's."""
        self.add(path, Node(stat.S_IFREG | mode, text.encode() if isinstance(text, str) else text))

    def link(self, path, target):
        """Adds a symbolic link."""
        self.add(path, Node(stat.S_IFLNK | 0o777, target.encode()))

    def text(self, path):
        """A file as text."""
        if path not in self.nodes:
            raise InputError(f"{path}: no package of the root file system has it; correct images/rootfs/packages.toml")
        return self.nodes[path].data.decode()


def build(packages, options):
    """The Tree of the packages [(pin, path of the .deb)]. `options` are those of Kconfig, see images/Kconfig."""
    with open(os.path.join(HERE, "packages.toml"), "rb") as file:
        recipe = tomllib.load(file)
    tree = Tree()
    for name in MERGED:
        tree.link(name, "usr/" + name)
        tree.add("usr/" + name, Node(stat.S_IFDIR | 0o755))
    status = [_unpack(tree, pin, deb, tuple(folder + "/" for folder in recipe["without"])) for pin, deb in packages]
    for name in [name for name in MERGED if not any(path.startswith(f"usr/{name}/") for path in tree.nodes)]:
        del tree.nodes[name], tree.nodes["usr/" + name]
    tree.file("var/lib/dpkg/status", "\n".join(status))
    tree.file("var/lib/dpkg/available", "")
    _configure(tree, recipe, options)
    _set_times(tree)
    return tree


def wanted(options):
    """Names of the packages that are asked for."""
    with open(os.path.join(HERE, "packages.toml"), "rb") as file:
        return tomllib.load(file)["packages"] + options.get("ROOTFS_PACKAGES", "").split()


# --- unpacking


def _tar(deb, which):
    """Yields the members of the control or file archive of a package, with the archive."""
    with subprocess.Popen(["dpkg-deb", which, deb], stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                yield member, archive
    if process.returncode != 0:
        raise InputError(f"{deb}: dpkg-deb cannot read it; remove it from the cache and build again")


def _unpack(tree, pin, deb, without):
    """Adds the files of a package. Returns its paragraph of dpkg's status file."""
    names = ["/."]
    for member, archive in _tar(deb, "--fsys-tarfile"):
        path = _merged(member.name.removeprefix("./").rstrip("/"))
        if path in ("", "."):
            continue
        names.append("/" + member.name.removeprefix("./"))
        if not (path + "/").startswith(without):
            _add_member(tree, path, member, archive)
    control = {member.name.removeprefix("./"): archive.extractfile(member).read()
               for member, archive in _tar(deb, "--ctrl-tarfile") if member.isfile()}  # fmt: skip
    text = control.pop("control").decode()
    fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line and not line.startswith(" "))
    stem = pin["package"] + (":" + fields["Architecture"] if fields.get("Multi-Arch") == "same" else "")
    info = f"var/lib/dpkg/info/{stem}."
    tree.file(info + "list", "".join(name + "\n" for name in names))
    for name, data in control.items():
        script = name in ("preinst", "postinst", "prerm", "postrm", "config")
        tree.file(info + name, data, 0o755 if script else 0o644)
    first, rest = text.rstrip("\n").split("\n", 1)
    return f"{first}\nStatus: install ok unpacked\n{rest}\n"


def _merged(path):
    """Where a file of a package is when /usr is merged."""
    return "usr/" + path if path.split("/", 1)[0] in MERGED else path


def _add_member(tree, path, member, archive):
    owner = {"uid": member.uid, "gid": member.gid, "mtime": int(member.mtime)}
    if member.isdir():
        tree.add(path, Node(stat.S_IFDIR | member.mode, **owner))
    elif member.issym():
        tree.add(path, Node(stat.S_IFLNK | 0o777, member.linkname.encode(), **owner))
    elif member.islnk():
        tree.add(path, dataclasses.replace(tree.nodes[_merged(member.linkname.removeprefix("./"))]))
    elif member.isfile():
        tree.add(path, Node(stat.S_IFREG | member.mode, archive.extractfile(member).read(), **owner))


# --- what maintainer scripts would do


def _configure(tree, recipe, options):
    for name, target in recipe["alternatives"]:
        if name not in tree.nodes:
            tree.link("etc/alternatives/" + os.path.basename(name), "/" + os.path.dirname(name) + "/" + target)
            tree.link(name, "/etc/alternatives/" + os.path.basename(name))
    for source, target in recipe["copies"]:
        tree.file(target, tree.text(source))
    for name, target in recipe["units"]:
        tree.link("etc/systemd/system/" + name, "/lib/systemd/system/" + target)
    for name in recipe["masked"]:
        tree.link("etc/systemd/system/" + name, "/dev/null")
    tree.link("var/run", "/run")
    tree.link("var/lock", "/run/lock")
    _users(tree, options)
    _pam(tree, recipe["pam"])
    for folder, _, names in sorted(os.walk(os.path.join(HERE, "etc"))):
        for name in names:
            path = os.path.join(folder, name)
            tree.file(os.path.relpath(path, HERE), read(path, "file of the root file system"))
    tree.file("etc/machine-id", "")
    tree.file("etc/default/locale", "LANG=C.UTF-8\n")
    _network(tree, options)


def _network(tree, options):
    """systemd-networkd's file: DHCP, or an address and a gateway."""
    words = options.get("ROOTFS_ADDRESS", "").split()
    lines = ["DHCP=yes"] if not words else [f"Address={words[0]}", *(f"Gateway={word}" for word in words[1:])]
    tree.file("etc/systemd/network/20-wired.network", "[Match]\nName=eth* en*\n\n[Network]\n" + "\n".join(lines) + "\n")
    servers = options.get("ROOTFS_NAMESERVERS", "").split()
    tree.file("etc/resolv.conf", "".join(f"nameserver {server}\n" for server in servers))


def _pam(tree, lines):
    """
    The files that say who may log in how, and the notes of what was chosen, both as pam-auth-update makes them: it asks
    nothing when it finds its own. A template says $TYPE_BLOCK where the lines of a block go; "end" is how many are left.
    """
    folder = "usr/share/pam/common-"
    for name in [path.removeprefix(folder) for path in tree.nodes if re.fullmatch(folder + "[a-z-]+", path)]:
        chosen = [(block, module, line) for file, block, module, line in lines if file == name]
        made = []
        for text in tree.text(folder + name).splitlines():
            block = text.rpartition("_")[2] if text.startswith("$") else None
            made += [name.partition("-")[0] + "\t" + line.replace("=end", "=1") for b, _, line in chosen if b == block] if block else [text]
        tree.file("etc/pam.d/common-" + name, "".join(line + "\n" for line in made))
        tree.file("var/lib/pam/" + name, "".join(f"Module: {module}\n{line}\n" for _, module, line in chosen))
    tree.file("var/lib/pam/seen", "unix\n")


def _users(tree, options):
    """passwd, group and their shadows."""
    users = tree.text("usr/share/base-passwd/passwd.master").splitlines()
    groups = tree.text("usr/share/base-passwd/group.master").splitlines()
    for path in sorted(path for path in tree.nodes if path.startswith("usr/lib/sysusers.d/")):
        for line in tree.text(path).splitlines():
            _sysusers_line(line.split(), line, users, groups)
    names = [line.split(":")[0] for line in users]
    # As with other installations whose user has not chosen one yet: root's password is what the configuration says.
    passwords = {"root": options.get("ROOTFS_PASSWORD", "")}
    tree.file("etc/passwd", "".join(line.replace(":*:", ":x:", 1) + "\n" for line in users))
    tree.file("etc/group", "".join(line.replace(":*:", ":x:", 1) + "\n" for line in groups))
    shadow = tree.nodes["etc/shadow"] = Node(stat.S_IFREG | 0o640, b"", gid=_id(groups, "shadow"))
    shadow.data = "".join(f"{name}:{passwords.get(name, '*')}:19700:0:99999:7:::\n" for name in names).encode()
    tree.nodes["etc/gshadow"] = Node(stat.S_IFREG | 0o640, b"", gid=shadow.gid)
    tree.nodes["etc/gshadow"].data = "".join(f"{line.split(':')[0]}:*::\n" for line in groups).encode()


def _id(lines, name):
    return next(int(line.split(":")[2]) for line in lines if line.split(":")[0] == name)


def _sysusers_line(words, line, users, groups):
    """A line of sysusers.d(5): u and g, with a fixed number or the next free one below 1000. Memberships are left out."""
    if len(words) < 2 or words[0] not in ("u", "g") or "%" in words[1]:
        return
    name = words[1]
    if any(group.startswith(name + ":") for group in groups) and any(user.startswith(name + ":") for user in users):
        return
    taken = {int(entry.split(":")[2]) for entry in users + groups}
    wish = words[2].split(":")[0] if len(words) > 2 else "-"
    number = int(wish) if wish.isdigit() else next(n for n in range(999, 100, -1) if n not in taken)
    if not any(group.startswith(name + ":") for group in groups):
        groups.append(f"{name}:x:{number}:")
    if words[0] == "u" and not any(user.startswith(name + ":") for user in users):
        gecos = line.split('"')[1] if '"' in line else ""
        users.append(f"{name}:x:{number}:{_id(groups, name)}:{gecos}:/:{NOLOGIN}")


def _set_times(tree):
    """What was made here is as old as the newest file of the packages; systemd need not update /etc and /var."""
    newest = max(node.mtime for node in tree.nodes.values())
    for path in ("etc/.updated", "var/.updated"):
        tree.file(path, "")
    for node in tree.nodes.values():
        node.mtime = node.mtime or newest
    tree.nodes["usr"].mtime = newest
