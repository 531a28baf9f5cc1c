; A boot sector that fills a part of all memory from 4 MiB on with random numbers, and then halts, or goes on to write to a
; word of every page that it filled, again and again.
;
;   nasm -f bin -DMEBIBYTES=512 -DPERCENT=50 -DBUSY=0 -o filled-guest.img filled-guest.asm
;
; Memory: 0x7000 u32, 1 when it is full; 0x10000 page tables: identity, 2 MiB pages, 0-8 GiB.
; Machine: pc with max-ram-below-4g=2G, so that memory behind the first 2 GiB starts at 4 GiB.

TABLES  equ 0x10000
DONE    equ 0x7000
MIB     equ 0x100000

        bits 16
        org 0x7c00

start:  cli
        cld
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        mov dword [DONE], 0
        in al, 0x92             ; A20
        or al, 2
        and al, 0xfe
        out 0x92, al
        mov ax, TABLES >> 4
        mov es, ax
        xor di, di
        xor eax, eax
        mov cx, 10 * 1024
        rep stosd
        mov dword [es:0], TABLES + 0x1003
        mov eax, TABLES + 0x2003
        mov di, 0x1000
.upper: mov [es:di], eax        ; eight page directories
        add di, 8
        add eax, 0x1000
        cmp di, 0x1000 + 8 * 8
        jne .upper
        mov eax, 0x83
        xor edx, edx
        mov di, 0x2000
.lower: mov [es:di], eax        ; of 512 pages each
        mov [es:di + 4], edx
        add di, 8
        add eax, 0x200000
        adc edx, 0
        cmp di, 0xa000
        jne .lower
        lgdt [gdtr]
        mov eax, 0x20           ; PAE
        mov cr4, eax
        mov ecx, 0xc0000080     ; EFER: LME
        mov eax, 0x100
        xor edx, edx
        wrmsr
        mov eax, TABLES
        mov cr3, eax
        mov eax, 0x80000011     ; PG, ET, PE
        mov cr0, eax
        jmp 0x08:wide

        bits 64
wide:   mov eax, 0x10
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov r9, 0x9e3779b97f4a7c15      ; state of the generator: xorshift64
        mov esi, 4                      ; MiB
.next:  call address
        jc .skip
        mov ecx, MIB / 8
.word:  mov rax, r9
        shl rax, 13
        xor r9, rax
        mov rax, r9
        shr rax, 7
        xor r9, rax
        mov rax, r9
        shl rax, 17
        xor r9, rax
        mov [rdi], r9
        add rdi, 8
        dec ecx
        jnz .word
.skip:  inc esi
        cmp esi, MEBIBYTES
        jne .next
        mov dword [abs DONE], 1
%if BUSY == 0
.halt:  hlt
        jmp .halt
%else
.again: mov esi, 4
.mib:   call address
        jc .idle
        mov ecx, MIB / 4096
.page:  inc qword [rdi + 128]
        add rdi, 4096
        dec ecx
        jnz .page
.idle:  inc esi
        cmp esi, MEBIBYTES
        jne .mib
        jmp .again
%endif

; rdi = where MiB number esi lies; carry where it is to stay empty. Filled ones are spread evenly.
address:
        mov eax, esi
        imul eax, eax, PERCENT
        xor edx, edx
        mov ecx, 100
        div ecx
        cmp edx, 100 - PERCENT          ; floor((n + 1) p / 100) > floor(n p / 100)
        jb .empty
        mov edi, esi
        cmp edi, 2048
        jb .low
        add edi, 2048
.low:   shl rdi, 20
        clc
        ret
.empty: stc
        ret

        align 8
gdt:    dq 0
        dq 0x00209a0000000000           ; 64-bit code
        dq 0x0000920000000000           ; data
gdtr:   dw $ - gdt - 1
        dd gdt

        times 510 - ($ - $$) db 0
        dw 0xaa55
