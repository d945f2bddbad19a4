# SPDX-License-Identifier: BSD-2-Clause
"""libcauseway for Python; standard library only.

    with causeway.Context() as c:
        memory = c.region(4096)
        window = c.open_window("there/scratch")
        queue = c.queue(16)
        queue.read(memory, window, 4096).wait()
        print(bytes(memory.data[:16]))

Objects mirror include/causeway/causeway.h, which says what each call means.
Errors are OSError with the library's words, and CommandError for a command.
"""
import ctypes
import ctypes.util
import os

READ, WRITE, ATOMIC = 1, 2, 4
FENCE, ORDERED, BULK = 1, 2, 4
OP_READ, OP_WRITE, OP_CAS, OP_FAA = 1, 2, 3, 4
DESCRIPTOR_MAX = 128
AGAIN, PIPE = 11, 32


class Key(ctypes.Structure):
    _fields_ = [("byte", ctypes.c_uint8 * 16)]

    def __str__(self):
        return bytes(self.byte).hex()

    @classmethod
    def parse(cls, text):
        return cls.from_buffer_copy(bytes.fromhex(text))


class Range(ctypes.Structure):
    _fields_ = [("key", Key), ("offset", ctypes.c_uint64),
                ("length", ctypes.c_uint64)]


class _Options(ctypes.Structure):
    _fields_ = [("node", ctypes.c_char_p), ("process", Key),
                ("rights", ctypes.c_uint), ("lease_ms", ctypes.c_uint),
                ("bytes_per_s", ctypes.c_uint64),
                ("ops_per_s", ctypes.c_uint64)]


class _Command(ctypes.Structure):
    _fields_ = [("opcode", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("id", ctypes.c_uint64), ("local", Key), ("remote", Key),
                ("local_offset", ctypes.c_uint64),
                ("remote_offset", ctypes.c_uint64),
                ("length", ctypes.c_uint64), ("operand", ctypes.c_uint64),
                ("compare", ctypes.c_uint64)]


class _Completion(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint64), ("result", ctypes.c_uint64),
                ("status", ctypes.c_uint32), ("slot", ctypes.c_uint32)]


class _ErrorRecord(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint64), ("status", ctypes.c_uint32),
                ("culprit", ctypes.c_uint32), ("key", Key)]


def _load():
    name = os.environ.get("CAUSEWAY_LIBRARY") or "libcauseway.so.0"
    lib = ctypes.CDLL(name)
    p, pp = ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)
    u32, u64, i = ctypes.c_uint, ctypes.c_uint64, ctypes.c_int
    key, text = ctypes.POINTER(Key), ctypes.c_char_p
    for function, result, arguments in (
            ("open", i, [text, pp]), ("close", None, [p]),
            ("error", text, [p]), ("node", text, [p]),
            ("identity", None, [p, key]), ("status_text", text, [i]),
            ("region_create", i, [p, ctypes.c_size_t, u32, pp]),
            ("region_destroy", i, [p]), ("region_data", p, [p]),
            ("region_key", key, [p]),
            ("grant", i, [p, ctypes.POINTER(Range), u32,
                          ctypes.POINTER(_Options), key, text]),
            ("revoke", i, [p, key]), ("import", i, [p, text, pp]),
            ("window_open", i, [p, text, u32, pp]),
            ("window_close", None, [p]), ("window_length", u64, [p]),
            ("window_rights", u32, [p]), ("window_key", key, [p]),
            ("queue_create", i, [p, u32, pp]), ("queue_destroy", None, [p]),
            ("submit", i, [p, ctypes.POINTER(_Command)]),
            ("counter", u64, [p]),
            ("wait", i, [p, ctypes.POINTER(_Completion), u32, i]),
            ("errors", i, [p, ctypes.POINTER(_ErrorRecord), u32]),
            ("queue_fd", i, [p]), ("arm", i, [p])):
        f = getattr(lib, "causeway_" + function)
        f.restype, f.argtypes = result, arguments
    return lib


_lib = _load()


class CommandError(Exception):
    def __init__(self, status):
        self.status = status
        super().__init__(_lib.causeway_status_text(status).decode())


class Context:
    def __init__(self, path=None):
        self._c = ctypes.c_void_p()
        err = _lib.causeway_open(path.encode() if path else None,
                                 ctypes.byref(self._c))
        if err:
            raise OSError(-err, os.strerror(-err), path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._c:
            _lib.causeway_close(self._c)
            self._c = None

    def _check(self, err):
        if err < 0:
            raise OSError(-err, _lib.causeway_error(self._c).decode())

    @property
    def node(self):
        return _lib.causeway_node(self._c).decode()

    @property
    def identity(self):
        key = Key()
        _lib.causeway_identity(self._c, ctypes.byref(key))
        return key

    def region(self, length, rights=READ | WRITE | ATOMIC):
        return Region(self, length, rights)

    def queue(self, depth):
        return Queue(self, depth)

    def grant(self, ranges, node=None, process=None, rights=READ,
              lease_ms=0, bytes_per_s=0, ops_per_s=0):
        """@return (key, descriptor); ranges are (key, offset, length)."""
        array = (Range * len(ranges))(*(Range(*r) for r in ranges))
        options = _Options(node.encode() if node else None, process or Key(),
                           rights, lease_ms, bytes_per_s, ops_per_s)
        key, text = Key(), ctypes.create_string_buffer(DESCRIPTOR_MAX)
        self._check(_lib.causeway_grant(self._c, array, len(ranges),
                                        ctypes.byref(options),
                                        ctypes.byref(key), text))
        return key, text.value.decode()

    def revoke(self, key):
        self._check(_lib.causeway_revoke(self._c, ctypes.byref(key)))

    def import_(self, descriptor):
        w = ctypes.c_void_p()
        self._check(getattr(_lib, "causeway_import")(
            self._c, descriptor.encode(), ctypes.byref(w)))
        return Window(w)

    def open_window(self, name, rights=0):
        w = ctypes.c_void_p()
        self._check(_lib.causeway_window_open(self._c, name.encode(), rights,
                                              ctypes.byref(w)))
        return Window(w)


class Region:
    """Memory of this process; `data` is a writable memoryview."""

    def __init__(self, context, length, rights):
        self._r = ctypes.c_void_p()
        context._check(_lib.causeway_region_create(
            context._c, length, rights, ctypes.byref(self._r)))
        self.key = Key.from_buffer_copy(
            _lib.causeway_region_key(self._r).contents)
        array = (ctypes.c_uint8 * length).from_address(
            _lib.causeway_region_data(self._r))
        self.data = memoryview(array).cast("B")

    def destroy(self):
        self.data.release()
        _lib.causeway_region_destroy(self._r)


class Window:
    def __init__(self, w):
        self._w = w
        self.key = Key.from_buffer_copy(
            _lib.causeway_window_key(w).contents)
        self.length = _lib.causeway_window_length(w)
        self.rights = _lib.causeway_window_rights(w)

    def close(self):
        _lib.causeway_window_close(self._w)


class Pending:
    """A command under way; wait() returns what an atomic found."""

    def __init__(self, queue):
        self._queue, self.status, self._result = queue, None, None

    def wait(self, timeout_ms=-1):
        while self.status is None:
            if not self._queue.reap(timeout_ms):
                raise TimeoutError
        if self.status:
            raise CommandError(self.status)
        return self._result


class Queue:
    def __init__(self, context, depth):
        self._q, self._pending, self._last = ctypes.c_void_p(), {}, 0
        context._check(_lib.causeway_queue_create(context._c, depth,
                                                  ctypes.byref(self._q)))

    def destroy(self):
        _lib.causeway_queue_destroy(self._q)

    @property
    def counter(self):
        return _lib.causeway_counter(self._q)

    def fileno(self):
        return _lib.causeway_queue_fd(self._q)

    def arm(self):
        """@return whether it is time to sleep."""
        return _lib.causeway_arm(self._q) == 0

    def submit(self, command):
        self._last += 1
        command.id = self._last
        while (slot := _lib.causeway_submit(
                self._q, ctypes.byref(command))) == -AGAIN:
            self.reap()
        if slot < 0:
            raise OSError(-slot, os.strerror(-slot))
        pending = self._pending[command.id] = Pending(self)
        return pending

    def read(self, to, window, length, to_offset=0, offset=0, flags=0):
        return self.submit(_Command(OP_READ, flags, 0, to.key, window.key,
                                    to_offset, offset, length))

    def write(self, source, window, length, from_offset=0, offset=0,
              flags=0):
        return self.submit(_Command(OP_WRITE, flags, 0, source.key,
                                    window.key, from_offset, offset, length))

    def compare_and_swap(self, window, offset, compare, value):
        return self.submit(_Command(OP_CAS, 0, 0, Key(), window.key, 0,
                                    offset, 8, value, compare))

    def fetch_and_add(self, window, offset, value):
        return self.submit(_Command(OP_FAA, 0, 0, Key(), window.key, 0,
                                    offset, 8, value))

    def reap(self, timeout_ms=-1):
        """Take what has ended, waiting for the first.  @return how many."""
        done = (_Completion * 64)()
        n = _lib.causeway_wait(self._q, done, len(done), timeout_ms)
        if n < 0:
            raise OSError(-n, os.strerror(-n))
        for c in done[:n]:
            pending = self._pending.pop(c.id)
            pending.status, pending._result = c.status, c.result
        return n

    def errors(self):
        """Records of what failed: (id, status, culprit, key)."""
        records = (_ErrorRecord * 64)()
        n = _lib.causeway_errors(self._q, records, len(records))
        return [(r.id, r.status, r.culprit, Key.from_buffer_copy(r.key))
                for r in records[:n]]
