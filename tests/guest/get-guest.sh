#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# get-guest.sh DIR [cloud|full]: Debian's kernel (vmlinux and modules) and a
# static busybox for test guests, without installing them.  Exit 77 where they
# can't be had.  The cloud kernel is smaller; only the full one has RDMA.
#
# The kernel comes out of vmlinuz, because QEMU boots the ELF file (by PVH)
# half a second sooner.
set -euo pipefail
dest=$1
package=linux-image-cloud-amd64
[ "${2:-cloud}" = cloud ] || package=linux-image-amd64
[ ! -f "$dest/version" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$dest"

fetch() {
	(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$@")
}
kernel() {
	apt-cache depends $package 2>/dev/null |
		awk '/Depends: linux-image-/ { print $2; exit }'
}
if [ -z "$(kernel)" ] || ! fetch "$(kernel)" busybox-static; then
	apt-get -qq update || true
	fetch "$(kernel)" busybox-static ||
		{ echo "no mirror has a kernel for the guest"; exit 77; }
fi
for deb in "$work"/*.deb; do
	dpkg-deb -x "$deb" "$work/root"
done

version=$(kernel)
version=${version#linux-image-}
rm -rf "$dest/modules"
mv "$work/root/lib/modules/$version/kernel" "$dest/modules"
mv "$work/root/bin/busybox" "$dest/busybox"
/usr/bin/python3 - "$work/root/boot/vmlinuz-$version" "$dest/vmlinux" <<'EOF'
import subprocess
import sys

image = open(sys.argv[1], "rb").read()
for magic, unpack in ((b"\xfd7zXZ\0", ["xz", "-dc", "--single-stream"]),
                      (b"\x28\xb5\x2f\xfd", ["zstd", "-dc"]),
                      (b"\x02\x21\x4c\x18", ["lz4", "-dc"])):
    at = image.find(magic)
    while at >= 0:
        out = subprocess.run(unpack, input=image[at:], capture_output=True)
        if out.stdout[:4] == b"\x7fELF":
            open(sys.argv[2], "wb").write(out.stdout)
            sys.exit(0)
        at = image.find(magic, at + 1)
sys.exit("no kernel found in vmlinuz")
EOF
echo "$version" >"$dest/version"
