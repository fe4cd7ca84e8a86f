# SPDX-License-Identifier: BSD-2-Clause
"""Fetches packages of another Debian architecture through the mirrors that this system's apt uses.

apt does the work, with a state of its own in the cache: the system's package lists and dpkg database are
neither read nor written, and root is not needed. The sources and their keyrings are those of the system
(or of the file named by IMAGES_SOURCES), with the suite replaced by the recipe's; apt checks the signatures.
"""

import fcntl
import glob
import json
import os
import re
import shutil
import subprocess
import tarfile
import time

from files import InputError, read, sha256, sha256_file, to_json, write, write_if_changed

#: seconds for which the package lists are taken as current
FRESH = 24 * 3600
#: what is kept of the options of a source: nothing that weakens the check of signatures
KEPT_OPTIONS = ("signed-by", "check-valid-until", "check-date")
DEBIAN_SUITES = re.compile(
    r"(buster|bullseye|bookworm|trixie|forky|duke|sid|(?:old)*stable|testing|unstable)"
    r"(-updates|-backports|-proposed-updates|-security|/updates)?/?$"
)


# --- the system's sources


def stanzas(text):
    """Yields the paragraphs of a deb822 text as {field in lower case: text, continuation lines kept}."""
    for paragraph in re.split(r"\n[ \t]*\n", text):
        fields, name = {}, None
        for line in paragraph.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t") and name:
                fields[name] += "\n" + line
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields:
            yield fields


def _deb822_sources(text):
    for fields in stanzas(text):
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() not in ("no", "false", "0"):
            options = {key: fields[key] for key in KEPT_OPTIONS if key in fields}
            for uri in fields.get("uris", "").split():
                for suite in fields.get("suites", "").split():
                    yield uri, suite, fields.get("components", "").split(), options


def _line_sources(text):
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if match:
            pairs = [pair.split("=", 1) for pair in (match[1] or "").split() if "=" in pair]
            options = {key.lower(): value.replace(",", " ") for key, value in pairs if key.lower() in KEPT_OPTIONS}
            yield match[2], match[3], match[4].split(), options


def read_sources(path):
    """Sources of one file in either format: (URI, suite, components, options)."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return list(_deb822_sources(text) if path.endswith(".sources") else _line_sources(text))


def _source_files():
    """The files that the system's apt reads, or the one that IMAGES_SOURCES names."""
    if chosen := os.environ.get("IMAGES_SOURCES"):
        return [chosen]
    shell = _run(["apt-config", "shell", "LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"])
    paths = dict(re.findall(r"(\w+)='(.*)'", shell))
    parts = glob.glob(os.path.join(paths.get("PARTS", ""), "*"))
    return [p for p in [paths.get("LIST", ""), *sorted(parts)] if p.endswith((".list", ".sources")) and os.path.isfile(p)]


def sources_for(suite, files):
    """Text of a deb822 file with the Debian mirrors found in `files`, for `suite`, its updates and security fixes."""
    found = {}
    for uri, system_suite, components, options in (s for path in files for s in read_sources(path)):
        match = DEBIAN_SUITES.match(system_suite)
        if not match or "main" not in components or "debian" not in uri + options.get("signed-by", ""):
            continue
        security = match[2] in ("-security", "/updates")
        suites = f"{suite}-security" if security else f"{suite} {suite}-updates"
        found.setdefault((uri, suites), options)
    if not any("-security" not in suites for _, suites in found):
        raise InputError(
            "apt: no Debian mirror is set up on this system; add one to /etc/apt/sources.list,"
            " or name a file with one: IMAGES_SOURCES=/path/debian.sources"
        )
    text = ""
    for (uri, suites), options in found.items():
        text += f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\n"
        text += "".join(f"{key.title()}: {value}\n" for key, value in options.items()) + "\n"
    return text


# --- apt


def _run(command, cwd=None):
    """Output of a command; its last error line becomes the text of an InputError."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                              env={**os.environ, "LC_ALL": "C"})  # fmt: skip
    except FileNotFoundError as error:
        raise InputError(f"{command[0]}: not found; install Debian's packages apt and dpkg") from error
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.startswith("E:")]
        last = (lines or done.stderr.splitlines() or ["no message"])[0].removeprefix("E:").strip()
        raise InputError(f"{command[0]} failed: {last}")
    return done.stdout


class Apt:
    """apt with a state of its own under `cache`, for one suite and architecture."""

    def __init__(self, cache, suite, architecture):
        self.suite, self.architecture = suite, architecture
        self.sources = sources_for(suite, _source_files())
        self.dir = os.path.join(os.path.abspath(cache), "apt", f"{suite}-{architecture}-{sha256(self.sources.encode())[:12]}")
        self.stamp = os.path.join(self.dir, "updated")
        self._write_state()

    def _write_state(self):
        for folder in ("state/lists/partial", "cache/archives/partial", "empty"):
            os.makedirs(os.path.join(self.dir, folder), exist_ok=True)
        write_if_changed(os.path.join(self.dir, "state/status"), "")
        write_if_changed(os.path.join(self.dir, "husk.sources"), self.sources)
        write_if_changed(os.path.join(self.dir, "apt.conf"), self._configuration())

    def _configuration(self):
        d = self.dir
        values = {
            "Dir::State": f"{d}/state", "Dir::State::status": f"{d}/state/status", "Dir::Cache": f"{d}/cache",
            "Dir::Etc::sourcelist": f"{d}/husk.sources", "Dir::Etc::sourceparts": f"{d}/empty",
            "Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": f"{d}/empty",
            "APT::Architecture": self.architecture, "APT::Architectures": self.architecture,
            # The cache folder may be closed to the user _apt; there is nothing here to protect from it.
            "APT::Sandbox::User": "root", "APT::Update::Error-Mode": "any", "Acquire::Languages": "none",
            "Acquire::AllowInsecureRepositories": "false", "Acquire::AllowWeakRepositories": "false",
            "Acquire::AllowDowngradeToInsecureRepositories": "false", "APT::Get::AllowUnauthenticated": "false",
        }  # fmt: skip
        # Hooks of the system would act on the system's state.
        hooks = ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")
        text = "#clear APT::Architectures;\n" + "".join(f"#clear APT::Update::{hook};\n" for hook in hooks)
        return text + "".join(f'{key} "{value}";\n' for key, value in values.items())

    def _apt(self, tool, *arguments, cwd=None):
        return _run([tool, "-c", os.path.join(self.dir, "apt.conf"), *arguments], cwd)

    def update(self, force=False):
        """Makes the package lists current; old ones serve while the network does not answer."""
        age = time.time() - os.path.getmtime(self.stamp) if os.path.exists(self.stamp) else None
        if age is not None and age < FRESH and not force:
            return
        print(f"  APT     package lists of {self.suite} for {self.architecture}", flush=True)
        try:
            self._apt("apt-get", "-q", "update")
            write(self.stamp, "")
        except InputError as error:
            if age is None:
                raise
            print(f"images: {error}; going on with package lists of {age / 86400:.0f} days ago", flush=True)

    def candidate(self, package):
        """Fields of the newest version of a package."""
        try:
            text = self._apt("apt-cache", "show", "--no-all-versions", f"{package}:{self.architecture}")
        except InputError as error:
            raise InputError(f"{package}: {self.suite} has no such package for {self.architecture}") from error
        return next(stanzas(text))

    def resolve(self, package):
        """The pin of a package; of the package of the newest kernel if it is a metapackage."""
        fields = self.candidate(package)
        stem = re.match(r"linux-image-(.+)$", package)
        newest = stem and re.search(rf"linux-image-\d\S*-{re.escape(stem[1])}\b", fields.get("depends", ""))
        if newest:
            fields = self.candidate(newest[0])
        return {"package": fields["package"], "version": fields["version"], "sha256": fields["sha256"]}

    def closure(self, packages):
        """Pins of packages and of all that they depend on: {name: pin}."""
        options = ("-o", "Debug::NoLocking=true", "--no-install-recommends")
        try:
            plan = self._apt("apt-get", "-q", "-s", *options, "install", *packages)
        except InputError as error:
            raise InputError(f"{self.suite} for {self.architecture}: {error}; correct ROOTFS_PACKAGES") from error
        names = sorted(set(re.findall(r"(?m)^Inst ([^\s:]+)", plan)))
        shown = self._apt("apt-cache", "show", "--no-all-versions", *(f"{name}:{self.architecture}" for name in names))
        return {f["package"]: {"package": f["package"], "version": f["version"], "sha256": f["sha256"]} for f in stanzas(shown)}

    def download_all(self, pins, folder):
        """Downloads the packages that pins name to folder/SHA256.deb."""
        print(f"  FETCH   {len(pins)} packages", flush=True)
        incoming = os.path.join(self.dir, "cache/download")
        os.makedirs(incoming, exist_ok=True)
        os.makedirs(folder, exist_ok=True)
        self._apt("apt-get", "-q", "download", *(f"{p['package']}:{self.architecture}={p['version']}" for p in pins), cwd=incoming)
        for path in glob.glob(os.path.join(incoming, "*.deb")):
            os.replace(path, os.path.join(folder, sha256_file(path) + ".deb"))

    def download(self, pin, target):
        """Downloads exactly the package that a pin names; apt checks it against the signed package lists."""
        print(f"  FETCH   {pin['package']} {pin['version']}", flush=True)
        folder = os.path.join(self.dir, "cache/download")
        os.makedirs(folder, exist_ok=True)
        for left in glob.glob(os.path.join(folder, "*.deb")):
            os.unlink(left)
        self._apt("apt-get", "-q", "download", f"{pin['package']}:{self.architecture}={pin['version']}", cwd=folder)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.replace(glob.glob(os.path.join(folder, "*.deb"))[0], target)


# --- what the recipes use


class Archive:
    """Files of packages: pinned by a lock or by an earlier build of this folder, otherwise the newest."""

    def __init__(self, cache, suite, architecture, pins_path, lock_path=None):
        self.cache = os.path.abspath(cache)
        self.suite, self.architecture = suite, architecture
        self.lock_path, self.pins_path = lock_path, pins_path
        self.locked = _load_pins(lock_path, required=True) if lock_path else {}
        self.pins = {} if os.environ.get("IMAGES_REFRESH") else _load_pins(pins_path, required=False)
        self._apt = None
        self._lists_updated = False

    @property
    def apt(self):
        """apt, set up when the first thing is really needed from it."""
        if self._apt is None:
            self._apt = Apt(self.cache, self.suite, self.architecture)
        if not self._lists_updated:
            self._apt.update(force=bool(os.environ.get("IMAGES_REFRESH")))
            self._lists_updated = True
        return self._apt

    def files(self, package, patterns):
        """
        Returns [(name, bytes)] of the files of a package, of which file() has got one before, that match globs, in
        which ** is any number of folders. A pattern may match nothing.
        """
        pin = self.pins[package]
        folder = os.path.join(self.cache, "file", pin["sha256"])
        done = [os.path.join(folder, "." + re.sub(r"[^\w.-]", "+", pattern)) for pattern in patterns]
        todo = [pattern for pattern, mark in zip(patterns, done) if not os.path.exists(mark)]
        if todo:
            with open(os.path.join(self.cache, "apt.lock"), "w", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                _extract_all(self._deb(package, pin), todo, folder)
                for mark in done:
                    write(mark, "")
        found = set()
        for pattern in patterns:
            found.update(glob.glob(os.path.join(folder, os.path.basename(pattern))))
        return [(os.path.basename(path), read(path, "file of a package")) for path in sorted(found)]

    def file(self, package, pattern):
        """Returns (pin, name, bytes) of the one file of a package whose path matches the glob `pattern`."""

        def get(pin):
            path = self._unpacked(package, pin, pattern)
            with open(path, "rb") as file:
                return pin, os.path.basename(path), file.read()

        return self._get(package, get)

    def deb(self, package):
        """Returns (pin, path in the cache) of a whole package."""
        return self._get(package, lambda pin: (pin, self._deb(package, pin)))

    def _get(self, package, get):
        """get(pin) of a package; again with a new pin if the archive has no longer what the old one names."""
        os.makedirs(self.cache, exist_ok=True)
        with open(os.path.join(self.cache, "apt.lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                return get(self._pin(package))
            except InputError:
                if self.lock_path:
                    raise
                # The archive has moved on since the lists or the pins were written.
                self.apt.update(force=True)
                self.pins[package] = self.apt.resolve(package)
                return get(self.pins[package])

    def with_dependencies(self, packages, kind):
        """
        Returns [(pin, path of the .deb)] of packages and all that they depend on, sorted by name. `kind` and the
        packages asked for are part of the keys of their pins.
        """
        prefix = f"{kind}-{sha256(' '.join(sorted(packages)).encode())[:8]}/"
        os.makedirs(self.cache, exist_ok=True)
        with open(os.path.join(self.cache, "apt.lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = self.locked if self.lock_path else self.pins
            pins = {key: pin for key, pin in known.items() if key.startswith(prefix)}
            if not pins and self.lock_path:
                raise InputError(f"{self.lock_path}: does not name the packages of the {kind}; add them with make lock")
            if not pins:
                pins = {prefix + name: pin for name, pin in self.apt.closure(packages).items()}
            missing = [pin for pin in pins.values() if not os.path.exists(self._deb_path(pin))]
            if missing:
                self.apt.download_all(missing, os.path.join(self.cache, "deb"))
            self.pins.update(pins)
            return [(pin, self._deb(pin["package"], pin)) for _, pin in sorted(pins.items())]

    def save_pins(self):
        """Remembers what was taken, so that building again needs no network and gives the same."""
        write_if_changed(self.pins_path, to_json(self.pins))

    def _pin(self, package):
        if self.lock_path:
            if package not in self.locked:
                raise InputError(f"{self.lock_path}: does not name {package}; add it with make lock")
            self.pins[package] = self.locked[package]
        elif package not in self.pins:
            self.pins[package] = self.apt.resolve(package)
        return self.pins[package]

    def _unpacked(self, package, pin, pattern):
        """Path of the wanted file of a package, in the cache."""
        folder = os.path.join(self.cache, "file", pin["sha256"])
        kept = glob.glob(os.path.join(folder, os.path.basename(pattern)))
        return kept[0] if kept else _extract(self._deb(package, pin), pattern, folder)

    def _deb_path(self, pin):
        return os.path.join(self.cache, "deb", pin["sha256"] + ".deb")

    def _deb(self, package, pin):
        path = self._deb_path(pin)
        if os.path.exists(path) and sha256_file(path) == pin["sha256"]:
            return path
        try:
            self.apt.download(pin, path + ".new")
        except InputError as error:
            if not self.lock_path:
                raise
            raise InputError(
                f"{self.lock_path}: cannot get {package} as {pin['package']} {pin['version']} ({error});"
                f" renew the lock with make lock, or put the package at {path}"
            ) from error
        _check_hash(path + ".new", pin, self.lock_path)
        os.replace(path + ".new", path)
        return path


def unpack(packages, folder):
    """Makes a folder of what is in packages, [(pin, path of the .deb)], unless it is that already."""
    stamp, content = os.path.join(folder, ".packages"), "\n".join(pin["sha256"] for pin, _ in packages)
    if os.path.exists(stamp) and read(stamp, "list of packages").decode() == content:
        return
    shutil.rmtree(folder, ignore_errors=True)
    for _, path in packages:
        _run(["dpkg-deb", "-x", path, str(folder)])
    write(stamp, content)


def _check_hash(path, pin, lock_path):
    found = sha256_file(path)
    if found != pin["sha256"]:
        os.unlink(path)
        raise InputError(
            f"{lock_path or pin['package']}: {pin['package']} {pin['version']} has SHA-256 {found}, not {pin['sha256']};"
            " if that change is expected, renew the lock with make lock"
        )


def _load_pins(path, required):
    """{wanted package: {"package", "version", "sha256"}} of a lock file."""
    try:
        with open(path, encoding="utf-8") as file:
            pins = json.load(file)
        for pin in pins.values():
            if not all(isinstance(pin[key], str) for key in ("package", "version")):
                raise ValueError
            if not re.fullmatch("[0-9a-f]{64}", pin["sha256"]):
                raise ValueError
        return pins
    except FileNotFoundError as error:
        if required:
            raise InputError(f"{path}: no such lock file; make lock writes it") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if required:
            raise InputError(f"{path}: not a lock file; make lock writes one") from error
    return {}


def write_lock(path, pins):
    """Adds pins to a lock file."""
    old = _load_pins(path, required=os.path.exists(path))
    write(path, to_json({**old, **pins}))


def _expression(pattern):
    """Regular expression for the paths that a glob means; [ab] is a set, ** any number of folders."""
    text = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*").replace(r"\[\-_\]", "[-_]")
    return re.compile(r"(\./)?" + text)


def _extract_all(deb, patterns, folder):
    """Unpacks the files of a package that match any of the patterns into `folder`."""
    expressions = [_expression(pattern) for pattern in patterns]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                if member.isfile() and any(e.fullmatch(member.name) for e in expressions):
                    write(os.path.join(folder, os.path.basename(member.name)), archive.extractfile(member).read())


def _extract(deb, pattern, folder):
    """Unpacks the file of a package that matches `pattern` into `folder`; returns its path."""
    expression = _expression(pattern)
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                if member.isfile() and expression.fullmatch(member.name):
                    path = os.path.join(folder, os.path.basename(member.name))
                    write(path, archive.extractfile(member).read())
                    process.kill()
                    return path
    raise InputError(f"{deb}: the package has no file {pattern}; the recipe must be corrected")
