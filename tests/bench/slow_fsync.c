/* Preloaded into a server under test: every fsync and fdatasync takes 2 ms more (or FSYNC_DELAY_MS), as on a
   disk that is farther away. The real call is still made. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_a_little(void) {
    const char *text = getenv("FSYNC_DELAY_MS");
    long microseconds = (long)((text ? atof(text) : 2.0) * 1000);
    struct timespec delay = {microseconds / 1000000, microseconds % 1000000 * 1000};
    nanosleep(&delay, NULL);
}

static int delayed(const char *name, int descriptor) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    wait_a_little();
    return real(descriptor);
}

int fsync(int descriptor) { return delayed("fsync", descriptor); }

int fdatasync(int descriptor) { return delayed("fdatasync", descriptor); }
