/* Firmware that measures the exported network on Arm's MPS boards in QEMU: it reads samples from
 * `input.f32` on the host by semihosting, pushes them one by one, and writes what is returned to
 * `output.f32` and what it measured to `measured.bin`.
 *
 * QEMU counts instructions as time (-icount); SysTick reads that time. */
#include HEADER

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define CPACR REGISTER(0xE000ED88u)
#define SYSTICK_CONTROL REGISTER(0xE000E010u)
#define SYSTICK_RELOAD REGISTER(0xE000E014u)
#define SYSTICK_VALUE REGISTER(0xE000E018u)
#define TICKS 0xFFFFFFu

enum { OPEN = 1, CLOSE = 2, WRITE = 5, READ = 6, EXIT = 24 }; /* semihosting */
enum { READ_BINARY = 1, WRITE_BINARY = 5 };
enum { PAINT = 0xA5A5A5A5u, CALIBRATION = 1000000 };

extern uint32_t bss_start[], bss_end[], stack_bottom[], stack_top[];

static ipmdae denoiser;
static float cleaned[IPMDAE_LATENCY], deviation[IPMDAE_LATENCY];

static int semihost(int operation, const void *parameters)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameters;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static int open_file(const char *name, uint32_t length, uint32_t mode)
{
    const uint32_t parameters[] = {(uint32_t)name, mode, length};
    return semihost(OPEN, parameters);
}

/* Reads or writes; returns the bytes that were not. */
static uint32_t transfer(int operation, int file, const void *data, uint32_t bytes)
{
    const uint32_t parameters[] = {(uint32_t)file, (uint32_t)data, bytes};
    return (uint32_t)semihost(operation, parameters);
}

static void save(int file, size_t count)
{
    size_t i;
    for (i = 0; i < count; ++i) {
        const float pair[] = {cleaned[i], deviation[i]};
        transfer(WRITE, file, pair, sizeof pair);
    }
}

static void close_file(int file)
{
    const uint32_t parameters[] = {(uint32_t)file};
    semihost(CLOSE, parameters);
}

/* Ticks of two instructions CALIBRATION times. */
static uint32_t calibrate(void)
{
    const uint32_t before = SYSTICK_VALUE;
    uint32_t count = CALIBRATION;
    __asm__ volatile("1: subs %0, #1\n bne 1b" : "+l"(count) : : "cc");
    return (before - SYSTICK_VALUE) & TICKS;
}

static void measure(void)
{
    const int input = open_file("input.f32", 9, READ_BINARY);
    const int output = open_file("output.f32", 10, WRITE_BINARY);
    const int report = open_file("measured.bin", 12, WRITE_BINARY);
    uint32_t measured[3] = {0}; /* ticks of the calibration and of the longest call, stack in bytes */
    uint32_t *deepest = stack_bottom;
    float sample;
    SYSTICK_RELOAD = TICKS;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = 5; /* on, by the processor's clock */
    measured[0] = calibrate();
    ipmdae_init(&denoiser);
    while (transfer(READ, input, &sample, sizeof sample) == 0) {
        const uint32_t before = SYSTICK_VALUE;
        const size_t count = ipmdae_push(&denoiser, &sample, 1, cleaned, deviation);
        const uint32_t ticks = (before - SYSTICK_VALUE) & TICKS;
        if (ticks > measured[1]) measured[1] = ticks;
        if (count) save(output, count);
    }
    save(output, ipmdae_flush(&denoiser, cleaned, deviation));
    while (*deepest == PAINT) ++deepest;
    measured[2] = (uint32_t)((char *)stack_top - (char *)deepest);
    transfer(WRITE, report, measured, sizeof measured);
    close_file(output);
    close_file(report);
    semihost(EXIT, (const void *)0x20026); /* the application has ended */
}

static void fail(void) { semihost(EXIT, (const void *)0x20023); } /* a run-time error */

void reset(void);

/* Enables the FPU; by the first call's registers nothing is on the stack yet. */
void reset(void)
{
    uint32_t *word;
    CPACR |= 0xFu << 20;
    __asm__ volatile("dsb\n isb");
    for (word = bss_start; word < bss_end; ++word) *word = 0;
    for (word = stack_bottom; word < (uint32_t *)__builtin_frame_address(0) - 16; ++word)
        *word = PAINT;
    measure();
}

/* Initial stack pointer, reset, and faults. */
__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    stack_top, (const void *)reset, (const void *)fail, (const void *)fail,
    (const void *)fail, (const void *)fail, (const void *)fail, (const void *)fail};
