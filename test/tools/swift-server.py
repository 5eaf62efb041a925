#!/usr/bin/python3
"""A second S3 server for tests, on loopback only: OpenStack Swift with its S3 interface, all four of its servers in one process.

    swift-server.py PORT DIR       PORT is for http; PORT+1 ... PORT+3 are the servers behind it. Ends when stdin does.

Needs Debian's package python3-swift, and user xattrs where DIR is. Prints "ready" once it answers. Nothing outlives DIR.
Its access key is test:tester, its secret testing, its region us-east-1; buckets are in the path.
"""
import array
import os
import sys

import eventlet

eventlet.monkey_patch()

from eventlet import wsgi  # noqa: E402
from swift.common import utils  # noqa: E402
from swift.common.ring import RingData  # noqa: E402

PORT, DIR = int(sys.argv[1]), os.path.abspath(sys.argv[2])
BEHIND = {'account': PORT + 1, 'container': PORT + 2, 'object': PORT + 3}
PART_POWER = 4

COMMON = f"""[DEFAULT]
bind_ip = 127.0.0.1
swift_dir = {DIR}
devices = {DIR}/devices
mount_check = false
fallocate_reserve = 0
log_level = ERROR
log_name = tests
"""

PROXY = """
[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats bulk s3api tempauth copy slo versioned_writes proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:cache]
paste.filter_factory = swift_server:kept_in_memory
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
""" + ''.join(
    f'[filter:{name}]\nuse = egg:swift#{name}\n'
    for name in ('catch_errors', 'gatekeeper', 'listing_formats', 'bulk', 'copy', 'slo', 'versioned_writes')
)


class Memory:
    """What a memcached would keep."""

    def __init__(self):
        self.kept = {}

    def get(self, key, **_options):
        return self.kept.get(key)

    def set(self, key, value, **_options):
        self.kept[key] = value

    def incr(self, key, delta=1, **_options):
        self.kept[key] = int(self.kept.get(key, 0)) + delta
        return self.kept[key]

    def delete(self, key, *_rest, **_options):
        self.kept.pop(key, None)


def kept_in_memory(_global_conf, **_conf):
    memory = Memory()

    def filtered(app):
        def answer(env, start_response):
            env['swift.cache'] = memory
            return app(env, start_response)

        return answer

    return filtered


def write(name, text):
    path = os.path.join(DIR, name)
    with open(path, 'w', encoding='ascii') as file:
        file.write(text)
    return path


def make_ring(kind):
    device = {'id': 0, 'zone': 0, 'region': 1, 'ip': '127.0.0.1', 'port': BEHIND[kind], 'device': 'one', 'weight': 1.0,
              'replication_ip': '127.0.0.1', 'replication_port': BEHIND[kind]}
    parts = [array.array('H', [0] * (1 << PART_POWER))]
    RingData(parts, [device], 32 - PART_POWER).save(os.path.join(DIR, f'{kind}.ring.gz'))


def main():
    os.makedirs(os.path.join(DIR, 'devices', 'one'))
    utils.SWIFT_CONF_FILE = write('swift.conf', '[swift-hash]\nswift_hash_path_suffix = tests\n')
    for kind in BEHIND:
        make_ring(kind)
    sys.modules['swift_server'] = sys.modules['__main__']

    from swift.common.storage_policy import reload_storage_policies
    from swift.common.wsgi import SwiftHttpProtocol, loadapp

    reload_storage_policies()
    nobody = utils.NullLogger()
    for kind, port in {**BEHIND, 'proxy': PORT}.items():
        pipeline = PROXY if kind == 'proxy' else f'[pipeline:main]\npipeline = {kind}-server\n[app:{kind}-server]\nuse = egg:swift#{kind}\n'
        app = loadapp(write(f'{kind}.conf', COMMON + pipeline))
        listener = eventlet.listen(('127.0.0.1', port), backlog=256)
        eventlet.spawn(wsgi.server, listener, app, nobody, protocol=SwiftHttpProtocol, custom_pool=eventlet.GreenPool(256))
    print('ready', flush=True)
    eventlet.tpool.execute(sys.stdin.read)
    os._exit(0)


main()
