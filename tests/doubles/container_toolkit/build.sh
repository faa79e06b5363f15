#!/bin/sh
# Builds a signed apt repository that stands in for NVIDIA's container toolkit repository.
#   build.sh OUTDIR [KEYFILE]
# OUTDIR gets the packages at every version of $VERSIONS, Packages(.gz), Release, InRelease, gpgkey.asc and fingerprint.txt: a flat
# repository (`Suites: /`), to be served as it is. KEYFILE (default OUTDIR.key) keeps the signing key, so that nodes that trust it go on
# to do so after a rebuild. Does nothing when OUTDIR is up to date. Needs dpkg-deb, gpg, gzip.
set -eu

VERSIONS=${VERSIONS:-1.17.7-1 1.17.8-1}
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: build.sh OUTDIR [KEYFILE]}
key=${2:-$out.key}

for tool in dpkg-deb gpg gzip; do
    command -v "$tool" > /dev/null || { echo "$0: found no $tool, expected it in PATH: install the package dpkg, gnupg or gzip" >&2; exit 1; }
done

sources=$({ cat "$0" "$here"/toolkit_double/*.py; echo "$VERSIONS"; } | sha256sum | cut -d ' ' -f 1)
if [ -e "$key" ] && [ "$(cat "$out/.sources" 2> /dev/null)" = "$sources" ]; then
    echo "have $out"
    exit 0
fi

work=$(mktemp -d)
export GNUPGHOME="$work/gnupg"
trap 'gpgconf --kill gpg-agent 2> /dev/null || true; rm -rf "$work"' EXIT
mkdir -m 700 "$GNUPGHOME"
mkdir "$work/repository"

# package NAME VERSION DEPENDS DESCRIPTION: packs $work/root as it is.
package() {
    mkdir -p "$work/root/DEBIAN"
    cat > "$work/root/DEBIAN/control" << CONTROL
Package: $1
Version: $2
Architecture: amd64
Maintainer: GPU fleet sandbox <root@localhost>
Section: utils
Priority: optional
Depends: $3
Description: simulated: $4
 Stands in for NVIDIA's package of this name. For a sandbox with simulated GPUs only.
CONTROL
    chmod -R go-w "$work/root"
    dpkg-deb --root-owner-group -Zgzip -z1 --build "$work/root" "$work/repository/$1_$2_amd64.deb" > /dev/null
    rm -rf "$work/root"
}

# program NAME EXPRESSION: an executable that ends with what the expression over the double's modules returns.
program() {
    mkdir -p "$work/root/usr/bin"
    cat > "$work/root/usr/bin/$1" << PROGRAM
#!/usr/bin/python3 -IS
# Simulated: stands in for NVIDIA's program of this name.
import sys
sys.path.insert(0, "/usr/lib/nvidia-container-toolkit-double")
$2
PROGRAM
    chmod 755 "$work/root/usr/bin/$1"
}

for version in $VERSIONS; do
    upstream=${version%-*}
    library=$work/root/usr/lib/nvidia-container-toolkit-double/toolkit_double

    mkdir -p "$library"
    cp "$here"/toolkit_double/*.py "$library"
    printf 'VERSION = "%s"\n' "$upstream" > "$library/version.py"
    program nvidia-ctk 'from toolkit_double.cli import main; sys.exit(main(sys.argv[1:]))'
    program nvidia-cdi-hook 'from toolkit_double.hooks import main; sys.exit(main(sys.argv[1:]))'
    program nvidia-container-runtime 'from toolkit_double.runtime import main; sys.exit(main(sys.argv[1:]))'
    package nvidia-container-toolkit-base "$version" python3 'NVIDIA Container Toolkit Base'

    program nvidia-container-runtime-hook 'sys.exit("simulated: no --gpus here, use --device nvidia.com/gpu=all or --runtime nvidia")'
    package nvidia-container-toolkit "$version" \
        "nvidia-container-toolkit-base (= $version), libnvidia-container-tools (= $version), libnvidia-container-tools (<< 2.0.0)" \
        'NVIDIA Container toolkit'

    program nvidia-container-cli "print('cli-version: $upstream\\nlib-version: $upstream\\nbuild date: simulated')"
    package libnvidia-container-tools "$version" "libnvidia-container1 (>= $version), python3" 'NVIDIA container runtime library (command-line tools)'

    mkdir -p "$work/root/usr/share/doc/libnvidia-container1"
    echo simulated > "$work/root/usr/share/doc/libnvidia-container1/README"
    package libnvidia-container1 "$version" libc6 'NVIDIA container runtime library'
done

cd "$work/repository"
for deb in *.deb; do
    dpkg-deb --field "$deb"
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$deb" "$(wc -c < "$deb")" "$(sha256sum "$deb" | cut -d ' ' -f 1)"
done > Packages
gzip -9nk Packages
{
    printf 'Origin: simulated\nLabel: simulated container toolkit\nArchitectures: amd64\nDate: %s\nSHA256:\n' "$(date -Ru)"
    for file in Packages Packages.gz; do
        printf ' %s %s %s\n' "$(sha256sum "$file" | cut -d ' ' -f 1)" "$(wc -c < "$file")" "$file"
    done
} > Release

if [ -e "$key" ]; then
    gpg --batch --quiet --import "$key"
else
    gpg --batch --quiet --passphrase '' --quick-generate-key 'Simulated container toolkit repository (sandbox only)' ed25519 sign never
    (umask 077 && gpg --batch --armor --export-secret-keys > "$key")
fi
gpg --batch --quiet --yes --clearsign --output InRelease Release
gpg --batch --armor --export > gpgkey.asc
gpg --batch --no-auto-check-trustdb --with-colons --list-keys | awk -F: '$1 == "fpr" { print $10; exit }' > fingerprint.txt
echo "$sources" > .sources

# The directory itself stays: it may be served or mounted.
mkdir -p "$out"
find "$out" -mindepth 1 -delete
cp -R "$work/repository/." "$out/"
echo "built $out: $VERSIONS"
