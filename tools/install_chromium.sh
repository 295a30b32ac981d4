#!/usr/bin/env bash
# Has a Chromium on this machine, for tests of the report: the system's own, installed where this may be done (root, apt).
# Where it can't, it says so and is content: these tests are skipped then.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "There is no Chromium here, so tests of the report in a browser are skipped. Install chromium to run them."
    exit 0
fi
echo "Installing Chromium for tests of the report in a browser..."
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y -q --no-install-recommends chromium; }
if ! log=$({ install || { apt-get update -q && install; }; } 2>&1); then
    tail -n 5 <<<"$log"
    echo "Chromium can't be installed, so tests of the report in a browser are skipped."
fi
