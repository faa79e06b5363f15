#!/usr/bin/env bash
# Build the workspace image on PyTorch 2.7.1 with CUDA, look into it, start it, and print sizes and times.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=$PWD/.cache/sandbox
result=$(mktemp)
place=$(mktemp -d)
trap 'docker rm --force test-image > /dev/null 2>&1 || true; rm -rf "$result" "$place"' EXIT

now() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN {printf "%.1f s", to - from}'; }
size() { docker image inspect --format '{{.Size}}' "$1" | awk '{printf "%.2f GB", $1 / 1e9}'; }

started=$(now)
base=$(tests/sandbox/images/pytorch/build.sh cuda "$cache/wheels" gpu-fleet-sandbox/pytorch)
image=$(python -c 'import json, sys; print(json.loads(sys.argv[1])["image"])' "$base")
echo "base       $image  $(size "$image")  $(since "$started")"

started=$(now)
ansible-playbook tests/image/image.yml --extra-vars "$(python -c 'import json, sys; print(json.dumps({"image": sys.argv[1], "result": sys.argv[2]}))' "$base" "$result")"
workspace=$(cat "$result")
echo "workspace  $workspace  $(size "$workspace")  $(since "$started")"

# What is inside, seen by a user without a name, a network or a privilege.
docker run --rm --network none --user 4711:4711 --read-only --tmpfs /tmp --cap-drop ALL --entrypoint python "$workspace" -c '
import json, torch, torchaudio, torchvision
contents = json.load(open("/usr/local/share/workspace/contents.json"))
assert torch.__version__.startswith("2.7.1"), torch.__version__
assert torch.version.cuda == "12.6" and torch.backends.cudnn.version() >= 90000 and torch.distributed.is_nccl_available()
boxes = torch.tensor([[0.0, 0.0, 9.0, 9.0], [1.0, 1.0, 9.0, 9.0]])
assert torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8]), 0.5).tolist() == [0]
assert torchaudio.functional.resample(torch.ones(1, 16000), 16000, 8000).shape == (1, 8000)
print("inside    ", {**contents["modules"], "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(), "packages": len(contents["packages"])})
'

# From start to an answer of Jupyter and sshd.
mkdir -m 755 "$place/home" "$place/ssh" "$place/settings"
printf 'alice:x:1000:1000::/home/alice:/bin/bash\n' > "$place/settings/passwd"
printf '{"secret_hash": "none", "base_url": "/alice/", "idle_shutdown_s": 0, "environment": {}}' > "$place/settings/settings.json"
touch "$place/settings/authorized_keys"
chown -R 1000:1000 "$place/home" "$place/ssh"
chmod 755 "$place"
for run in first second; do
    docker rm --force test-image > /dev/null 2>&1 || true
    started=$(now)
    docker run --detach --name test-image --user 1000:1000 --read-only --cap-drop ALL --security-opt no-new-privileges --tmpfs /tmp \
        --tmpfs /run/user/1000:uid=1000,gid=1000,mode=0700 --volume "$place/home:/home/alice" --volume "$place/ssh:/var/lib/workspace/ssh" \
        --volume "$place/settings:/run/workspace:ro" --volume "$place/settings/passwd:/etc/passwd:ro" \
        --publish 127.0.0.1::8888 --publish 127.0.0.1::2222 "$workspace" > /dev/null
    jupyter=$(docker port test-image 8888 | head -n 1)
    ssh=$(docker port test-image 2222 | head -n 1)
    until [ "$(curl --silent --output /dev/null --write-out '%{http_code}' "http://$jupyter/alice/api/status")" = 403 ] \
        && [[ $(timeout 2 head -c 7 < "/dev/tcp/${ssh%:*}/${ssh#*:}") = SSH-2.0 ]]; do
        sleep 0.1
        [ -n "$(docker ps --quiet --filter name=test-image)" ] || { docker logs test-image; exit 1; }
    done
    echo "start      $run  $(since "$started")"
done
