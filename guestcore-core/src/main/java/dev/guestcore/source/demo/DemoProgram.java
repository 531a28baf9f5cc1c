package dev.guestcore.source.demo;

/**
 * The program that every vCPU of the demo machine runs, in x86-64 machine code, and where its instructions begin.
 *
 * <pre>
 * round:  inc  rax                  ; the number of this round
 *         lock inc qword [r15]      ; rounds of all vCPUs together
 *         add  rbx, rax             ; 1 + 2 + … + rax
 *         mov  rsi, r8              ; list of own pages
 *         mov  rcx, r9              ; how many there are
 * page:   mov  rdi, [rsi]
 *         mov  r11, r10             ; words in a page
 * word:   mov  rdx, rbx
 *         xor  rdx, rdi
 *         mov  [rdi], rdx           ; word = sum xor its own address
 *         add  rdi, 8
 *         dec  r11
 *         jnz  word
 *         add  rsi, 8
 *         dec  rcx
 *         jnz  page
 *         jmp  round
 * </pre>
 */
final class DemoProgram {

    static final int INC_ROUND = 0;
    static final int INC_COUNTER = 3;
    static final int ADD_SUM = 7;
    static final int LOAD_LIST = 10;
    static final int LOAD_PAGES = 13;
    static final int LOAD_PAGE = 16;
    static final int LOAD_WORDS = 19;
    static final int COPY_SUM = 22;
    static final int XOR_ADDRESS = 25;
    static final int STORE_WORD = 28;
    static final int NEXT_WORD = 31;
    static final int DEC_WORDS = 35;
    static final int JUMP_WORD = 38;
    static final int NEXT_PAGE = 40;
    static final int DEC_PAGES = 44;
    static final int JUMP_PAGE = 47;
    static final int JUMP_ROUND = 49;

    private static final int[] CODE = {
        0x48, 0xff, 0xc0, // inc rax
        0xf0, 0x49, 0xff, 0x07, // lock inc qword [r15]
        0x48, 0x01, 0xc3, // add rbx, rax
        0x4c, 0x89, 0xc6, // mov rsi, r8
        0x4c, 0x89, 0xc9, // mov rcx, r9
        0x48, 0x8b, 0x3e, // mov rdi, [rsi]
        0x4d, 0x89, 0xd3, // mov r11, r10
        0x48, 0x89, 0xda, // mov rdx, rbx
        0x48, 0x31, 0xfa, // xor rdx, rdi
        0x48, 0x89, 0x17, // mov [rdi], rdx
        0x48, 0x83, 0xc7, 0x08, // add rdi, 8
        0x49, 0xff, 0xcb, // dec r11
        0x75, 0xee, // jnz word
        0x48, 0x83, 0xc6, 0x08, // add rsi, 8
        0x48, 0xff, 0xc9, // dec rcx
        0x75, 0xdf, // jnz page
        0xeb, 0xcd, // jmp round
    };

    /** What stands at {@link DemoLayout#HANDLER}: hlt, and jmp back to it. */
    private static final int[] HANDLER = {0xf4, 0xeb, 0xfd};

    private DemoProgram() {}

    /** The machine code. */
    static byte[] code() {
        return bytes(CODE);
    }

    /** The interrupt handler. */
    static byte[] handler() {
        return bytes(HANDLER);
    }

    /** The sum that register rbx holds after {@code round} rounds, modulo 2^64. */
    static long sumAfter(long round) {
        return (round & 1) == 0 ? (round >>> 1) * (round + 1) : round * ((round + 1) >>> 1);
    }

    private static byte[] bytes(int[] values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return bytes;
    }
}
