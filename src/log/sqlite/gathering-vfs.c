/*
 * A VFS for the writer's connection: `kedge-gathering`, above SQLite's own `unix-excl`.
 *
 * SQLite writes its write-ahead log in two pieces a page (24 bytes of header, then the page) and brings it home page by
 * page. A batch of 500 values of 4 KiB is 1,200 system calls that way, each with the file system's work for a write of
 * its own, and the thread that commits spends half its time in them. Here writes that follow one another are gathered
 * and written in one piece:
 *
 *   xWrite, xWrite, xWrite … ─▶ buffer ─▶ one xWrite below, when the next one is elsewhere, when the buffer is full,
 *                                         and before anything else is done with the file: read, sync, truncate, …
 *
 * Nobody can tell the difference, as long as SQLite syncs a file before it tells others of what it wrote. It does with
 * synchronous=FULL: a commit becomes visible after xSync of the log, and a page that was brought home is read from
 * there after xSync of the file; so only then is this VFS to be used. What another connection reads through a handle
 * of its own, this one has written.
 *
 * An error below is told by the call that had the buffer written, at the latest by xSync; what was in the buffer is let
 * go of then, as SQLite takes none of it for written.
 */
#include "sqlite3ext.h"
#include <string.h>

SQLITE_EXTENSION_INIT1

/* SQLite's own VFS writes less than 128 KiB in one piece. */
#define BUFFER_BYTES (124 * 1024)

/* The file below follows directly in memory. */
typedef struct {
  sqlite3_file base;
  sqlite3_int64 at; /* where in the file the buffer's first byte belongs */
  int used;         /* bytes */
  unsigned char *buffer;
} GatheringFile;

static sqlite3_vfs gathering;
static sqlite3_vfs *below;

static GatheringFile *self(sqlite3_file *file) { return (GatheringFile *)file; }
static sqlite3_file *real(sqlite3_file *file) { return (sqlite3_file *)(self(file) + 1); }
static const sqlite3_io_methods *methodsOf(sqlite3_file *file) { return real(file)->pMethods; }

static int writeOut(sqlite3_file *file) {
  int used = self(file)->used;
  self(file)->used = 0;
  return used == 0 ? SQLITE_OK : methodsOf(file)->xWrite(real(file), self(file)->buffer, used, self(file)->at);
}

static int xWrite(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 at) {
  GatheringFile *f = self(file);
  if (f->used > 0 && (at != f->at + f->used || f->used + count > BUFFER_BYTES)) {
    int rc = writeOut(file);
    if (rc != SQLITE_OK) return rc;
  }
  if (f->buffer == 0) f->buffer = sqlite3_malloc(BUFFER_BYTES);
  if (f->buffer == 0 || count > BUFFER_BYTES) return methodsOf(file)->xWrite(real(file), bytes, count, at);
  if (f->used == 0) f->at = at;
  memcpy(f->buffer + f->used, bytes, count);
  f->used += count;
  return SQLITE_OK;
}

static int xClose(sqlite3_file *file) {
  int written = writeOut(file);
  int closed = methodsOf(file)->xClose(real(file));
  sqlite3_free(self(file)->buffer);
  return written != SQLITE_OK ? written : closed;
}

/* The call below, once the buffer is written. */
#define AFTER_WRITING(file, call)      \
  do {                                 \
    int rc = writeOut(file);           \
    return rc != SQLITE_OK ? rc : call; \
  } while (0)

static int xRead(sqlite3_file *file, void *bytes, int count, sqlite3_int64 at) {
  AFTER_WRITING(file, methodsOf(file)->xRead(real(file), bytes, count, at));
}
static int xTruncate(sqlite3_file *file, sqlite3_int64 size) {
  AFTER_WRITING(file, methodsOf(file)->xTruncate(real(file), size));
}
static int xSync(sqlite3_file *file, int flags) { AFTER_WRITING(file, methodsOf(file)->xSync(real(file), flags)); }
static int xFileSize(sqlite3_file *file, sqlite3_int64 *size) {
  AFTER_WRITING(file, methodsOf(file)->xFileSize(real(file), size));
}
static int xUnlock(sqlite3_file *file, int level) { AFTER_WRITING(file, methodsOf(file)->xUnlock(real(file), level)); }
static int xFileControl(sqlite3_file *file, int operation, void *argument) {
  AFTER_WRITING(file, methodsOf(file)->xFileControl(real(file), operation, argument));
}
static int xShmLock(sqlite3_file *file, int offset, int count, int flags) {
  AFTER_WRITING(file, methodsOf(file)->xShmLock(real(file), offset, count, flags));
}
static int xFetch(sqlite3_file *file, sqlite3_int64 at, int count, void **page) {
  AFTER_WRITING(file, methodsOf(file)->xFetch(real(file), at, count, page));
}

/* What does not concern the file's content is passed on. */
static int xLock(sqlite3_file *file, int level) { return methodsOf(file)->xLock(real(file), level); }
static int xCheckReservedLock(sqlite3_file *file, int *isReserved) {
  return methodsOf(file)->xCheckReservedLock(real(file), isReserved);
}
static int xSectorSize(sqlite3_file *file) { return methodsOf(file)->xSectorSize(real(file)); }
static int xDeviceCharacteristics(sqlite3_file *file) { return methodsOf(file)->xDeviceCharacteristics(real(file)); }
static int xShmMap(sqlite3_file *file, int region, int size, int extend, void volatile **memory) {
  return methodsOf(file)->xShmMap(real(file), region, size, extend, memory);
}
static void xShmBarrier(sqlite3_file *file) { methodsOf(file)->xShmBarrier(real(file)); }
static int xShmUnmap(sqlite3_file *file, int drop) { return methodsOf(file)->xShmUnmap(real(file), drop); }
static int xUnfetch(sqlite3_file *file, sqlite3_int64 at, void *page) {
  return methodsOf(file)->xUnfetch(real(file), at, page);
}

static const sqlite3_io_methods methods = {
    3,         xClose,      xRead,    xWrite,      xTruncate,          xSync,        xFileSize,
    xLock,     xUnlock,     xCheckReservedLock,    xFileControl,       xSectorSize,  xDeviceCharacteristics,
    xShmMap,   xShmLock,    xShmBarrier,           xShmUnmap,          xFetch,       xUnfetch,
};

/* The store's file and its write-ahead log are gathered; whatever else SQLite opens is the VFS's below alone. */
static int xOpen(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flagsOut) {
  (void)vfs;
  if ((flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) == 0) return below->xOpen(below, name, file, flags, flagsOut);
  memset(file, 0, sizeof(GatheringFile));
  int rc = below->xOpen(below, name, real(file), flags, flagsOut);
  /* Without methods SQLite does not close it. */
  if (methodsOf(file) != 0) file->pMethods = &methods;
  return rc;
}

/* The entry that SQLite looks for by the file's name. Every thread may load it; the first one registers. */
int sqlite3_gatheringvfs_init(sqlite3 *db, char **error, const sqlite3_api_routines *api) {
  (void)db;
  (void)error;
  SQLITE_EXTENSION_INIT2(api);
  sqlite3_mutex *mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1);
  sqlite3_mutex_enter(mutex);
  int rc = SQLITE_OK_LOAD_PERMANENTLY;
  if (below == 0) {
    below = sqlite3_vfs_find("unix-excl");
    if (below == 0) {
      rc = SQLITE_ERROR;
    } else {
      gathering = *below;
      gathering.zName = "kedge-gathering";
      gathering.szOsFile = (int)sizeof(GatheringFile) + below->szOsFile;
      gathering.xOpen = xOpen;
      gathering.pNext = 0;
      int registered = sqlite3_vfs_register(&gathering, 0);
      if (registered != SQLITE_OK) rc = registered;
    }
  }
  sqlite3_mutex_leave(mutex);
  return rc;
}
