// Fails the n-th of what a call asks of its surroundings. Preloaded, so that it stands before the C library and libstdc++.
//
// Counted are, by kind: allocations of Python's allocators, `operator new`, malloc and its kin where NumPy or fastadam calls
// them, threads that fastadam creates, and calls that read, write or rename files or look at them; the
// removal of a file always works. glibc alone.
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
}

namespace {

enum Kind { python, native, thread, file };

std::atomic<int> armed{-1};  // the kind, or none
std::atomic<long> left{0};   // events until the first failure
std::atomic<long> last{0};   // events until the last one; all after the first if it is negative
std::atomic<long> live{0};   // allocations by Python and by operator new that were not freed

// Whether a caller is in a library whose file has one of these names.
bool is_of(void* caller, const char* first, const char* second = nullptr) {
  Dl_info library;
  if (!dladdr(caller, &library) || !library.dli_fname) return false;
  return strstr(library.dli_fname, first) || (second && strstr(library.dli_fname, second));
}

// CPython 3.11 crashes, or tries again for ever, where a function cannot allocate when another called it so many frames further
// out.
struct Pair {
  const char *inner, *outer;
  int distance;
};
constexpr Pair fatal[] = {{"PyTuple_Pack", "PyObject_GetIter", 3}, {"PyLong_FromLong", "_PyEval_EvalFrameDefault", 1}};

bool is_in(void* frame, const char* name) {
  Dl_info function;
  return dladdr(frame, &function) && function.dli_sname && strcmp(function.dli_sname, name) == 0;
}

bool is_fatal() {
  void* frames[8];
  const int count = backtrace(frames, 8);
  for (int i = 0; i < count; ++i) {
    if (is_of(frames[i], "_multiarray_umath")) return true;  // NumPy crashes too, as in __array_interface__
  }
  for (const auto& [inner, outer, distance] : fatal) {
    for (int i = 0; i + distance < count; ++i) {
      if (is_in(frames[i], inner) && is_in(frames[i + distance], outer)) return true;
    }
  }
  return false;
}

// Whether an event of this kind is one to fail.
bool fails(Kind kind) {
  if (armed.load(std::memory_order_relaxed) != kind) return false;
  const long before = left.fetch_sub(1);
  if (before > 1 || (before < 1 && last > 0)) return false;
  return kind != python || !is_fatal();
}

bool fails_for(void* caller) {
  return armed.load(std::memory_order_relaxed) == native && is_of(caller, "_multiarray_umath", "_native.") && fails(native);
}

template <class Function>
Function next(Function, const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

#define CALLER __builtin_extract_return_addr(__builtin_return_address(0))

// Memory.

extern "C" void* malloc(size_t size) { return fails_for(CALLER) ? nullptr : __libc_malloc(size); }
extern "C" void* calloc(size_t count, size_t size) { return fails_for(CALLER) ? nullptr : __libc_calloc(count, size); }
extern "C" void* realloc(void* old, size_t size) { return fails_for(CALLER) ? nullptr : __libc_realloc(old, size); }

namespace {

void* allocated(size_t size, size_t alignment = alignof(std::max_align_t)) {
  void* memory = nullptr;
  if (fails(native) || posix_memalign(&memory, alignment < sizeof(void*) ? sizeof(void*) : alignment, size ? size : 1)) {
    throw std::bad_alloc();
  }
  ++live;
  return memory;
}

void freed(void* memory) {
  if (memory) --live;
  free(memory);
}

}  // namespace

void* operator new(size_t size) { return allocated(size); }
void* operator new[](size_t size) { return allocated(size); }
void* operator new(size_t size, std::align_val_t alignment) { return allocated(size, static_cast<size_t>(alignment)); }
void* operator new[](size_t size, std::align_val_t alignment) { return allocated(size, static_cast<size_t>(alignment)); }
void operator delete(void* memory) noexcept { freed(memory); }
void operator delete[](void* memory) noexcept { freed(memory); }
void operator delete(void* memory, size_t) noexcept { freed(memory); }
void operator delete[](void* memory, size_t) noexcept { freed(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { freed(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { freed(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { freed(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { freed(memory); }

// Python's allocators: those of objects, of its own structures, and of the rest.

struct Allocator {  // PyMemAllocatorEx
  void* context;
  void* (*allocate)(void*, size_t);
  void* (*zeroed)(void*, size_t, size_t);
  void* (*resized)(void*, void*, size_t);
  void (*release)(void*, void*);
};

extern "C" {
void PyMem_GetAllocator(int, Allocator*) __attribute__((weak));
void PyMem_SetAllocator(int, Allocator*) __attribute__((weak));
void* PyObject_CallNoArgs(void*) __attribute__((weak));
}

namespace {

Allocator originals[3];

Allocator& original(void* context) { return *static_cast<Allocator*>(context); }

void* counted(void* memory) {
  if (memory) ++live;
  return memory;
}

}  // namespace

extern "C" void faults_install() {
  for (int domain = 0; domain < 3; ++domain) {
    PyMem_GetAllocator(domain, &originals[domain]);
    Allocator failing{&originals[domain],
                      [](void* to, size_t size) {
                        return fails(python) ? nullptr : counted(original(to).allocate(original(to).context, size));
                      },
                      [](void* to, size_t count, size_t size) {
                        return fails(python) ? nullptr : counted(original(to).zeroed(original(to).context, count, size));
                      },
                      [](void* to, void* old, size_t size) -> void* {
                        if (fails(python)) return nullptr;
                        void* const memory = original(to).resized(original(to).context, old, size);
                        return old ? memory : counted(memory);
                      },
                      [](void* to, void* memory) {
                        if (memory) --live;
                        original(to).release(original(to).context, memory);
                      }};
    PyMem_SetAllocator(domain, &failing);
  }
}

extern "C" long faults_live() { return live; }

// Calls a Python function, and fails its n-th event of a kind, or that and all that follow. `counted` gets how many there were.
extern "C" void* faults_call(void* function, int kind, long n, int persists, long* counted_events) {
  left = n;
  last = persists ? -1 : 1;
  armed = kind;
  void* const result = PyObject_CallNoArgs(function);
  armed = -1;
  *counted_events = n - left;
  return result;
}

// Threads.

extern "C" int pthread_create(pthread_t* made, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) {
  static const auto create = next(&pthread_create, "pthread_create");
  if (armed == thread && is_of(CALLER, "_native.") && fails(thread)) return EAGAIN;
  return create(made, attributes, start, argument);
}

// Files.

#define FAIL_FILE    \
  if (fails(file)) { \
    errno = ENOSPC;  \
    return -1;       \
  }

extern "C" {

#define FILE_CALL(Result, name, parameters, arguments) \
  Result name parameters {                             \
    static const auto real = next(&name, #name);       \
    FAIL_FILE                                          \
    return real arguments;                             \
  }

FILE_CALL(ssize_t, write, (int descriptor, const void* data, size_t size), (descriptor, data, size))
FILE_CALL(ssize_t, read, (int descriptor, void* data, size_t size), (descriptor, data, size))
FILE_CALL(off64_t, lseek64, (int descriptor, off64_t offset, int whence) noexcept, (descriptor, offset, whence))
FILE_CALL(int, fsync, (int descriptor), (descriptor))
FILE_CALL(int, rename, (const char* from, const char* to) noexcept, (from, to))
FILE_CALL(int, chmod, (const char* path, mode_t mode) noexcept, (path, mode))
FILE_CALL(int, stat64, (const char* path, struct stat64* found) noexcept, (path, found))
FILE_CALL(int, lstat64, (const char* path, struct stat64* found) noexcept, (path, found))
FILE_CALL(int, fstat64, (int descriptor, struct stat64* found) noexcept, (descriptor, found))

int open64(const char* path, int flags, ...) {
  static const auto real = next(&open64, "open64");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  FAIL_FILE
  return real(path, flags, mode);
}

}  // extern "C"
