#!/bin/sh
# Builds CPython 3.14, with the interpreter lock and without it (3.14t), for `make test-all`, from the source package of
# Debian: many machines have no such interpreter yet. What is there already is left alone.
#
# Usage: tools/build_python.sh FOLDER      makes FOLDER/3.14/bin/python3 and FOLDER/3.14t/bin/python3
# PYTHON_SOURCE: the source's archive, where there is one at hand. Needs a C compiler, make, xz and the headers of what the
# standard library wraps (libssl-dev, libffi-dev, zlib1g-dev, libbz2-dev, liblzma-dev, libsqlite3-dev).
set -eu

VERSION=3.14.5
CHECKSUM=7e32597b99e5d9a39abed35de4693fa169df3e5850d4c334337ffd6a19a36db6
FOLDER=${1:?say where to put them}
ARCHIVE=python3.14_$VERSION.orig.tar.xz

say() { echo "build_python: $*" >&2; }

# Where this machine has Debian's packages from; nothing if it has none.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep '/debian/*$' | head -n 1
}

fetch_source() {
    archive=${PYTHON_SOURCE:-$FOLDER/$ARCHIVE}
    if [ ! -f "$archive" ]; then
        address=$(mirror)
        [ -n "$address" ] || { say "set PYTHON_SOURCE to an archive of CPython $VERSION's source"; exit 1; }
        say "fetching $ARCHIVE from Debian's source packages"
        curl -fsSL --retry 2 -o "$archive.part" "${address%/}/pool/main/p/python3.14/$ARCHIVE" ||
            { say "can't fetch it; set PYTHON_SOURCE to an archive of CPython $VERSION"; exit 1; }
        mv "$archive.part" "$archive"
    fi
    echo "$CHECKSUM  $archive" | sha256sum --check --quiet ||
        { say "$archive is not the source of CPython $VERSION"; exit 1; }
    mkdir -p "$FOLDER/source"
    tar -xf "$archive" -C "$FOLDER/source" --strip-components 1
}

# build NAME OPTION...
build() {
    name=$1
    shift
    if [ -x "$FOLDER/$name/bin/python3" ]; then
        say "$name is there"
        return
    fi
    [ -f "$FOLDER/source/configure" ] || fetch_source
    say "building $name, which takes some minutes; what it says is in $FOLDER/$name.log"
    rm -rf "$FOLDER/build" && mkdir "$FOLDER/build"
    (
        cd "$FOLDER/build" &&
            ../source/configure -q --cache-file=../source/cache --prefix="$FOLDER/$name" --disable-test-modules "$@" &&
            make -s -j "$(nproc)" &&
            make -s install
    ) >"$FOLDER/$name.log" 2>&1 || { say "building $name failed:"; tail -n 20 "$FOLDER/$name.log" >&2; exit 1; }
    rm -rf "$FOLDER/build"
    say "$("$FOLDER/$name/bin/python3" -VV)"
}

mkdir -p "$FOLDER"
FOLDER=$(cd "$FOLDER" && pwd)
build 3.14
build 3.14t --disable-gil
rm -rf "$FOLDER/source"
