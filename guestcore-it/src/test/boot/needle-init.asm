; The first process of a Linux guest, as a whole static program: puts its argument into four pages of its own, tells so on
; the console, then spins for ever with known registers in user mode.
;
;   nasm -f bin -o needle-init needle-init.asm
;
; Before that it loads /qemu_fw_cfg.ko, the driver with which the kernel tells QEMU where its VMCOREINFO is. If there is a
; /lime.ko, it has that write memory to /disk.
;
; Each page: the argument, then up to the page's end byte j = (7 j + 13 page + (j >> 8)) mod 256.

PAGES   equ 0x700000000000

        bits 64
        org 0x400000

elf:    db 0x7f, "ELF", 2, 1, 1, 0
        dq 0
        dw 2, 62                ; executable, x86-64
        dd 1
        dq start
        dq program - elf
        dq 0
        dd 0
        dw 64, 56, 1, 0, 0, 0
program:
        dd 1, 5                 ; PT_LOAD, readable and executable
        dq 0, elf, elf
        dq end - elf, end - elf
        dq 0x1000

start:  mov r12, [rsp + 16]     ; argv[1]
        mov eax, 9              ; mmap
        mov rdi, PAGES
        mov esi, 4 * 4096
        mov edx, 3
        mov r10d, 0x32          ; private, fixed, anonymous
        mov r8, -1
        xor r9d, r9d
        syscall
        mov rdi, PAGES
        xor ecx, ecx            ; page
.page:  mov rsi, r12
        xor edx, edx            ; j
.text:  lodsb
        test al, al
        jz .byte
        mov [rdi + rdx], al
        inc edx
        jmp .text
.byte:  imul eax, edx, 7
        imul ebx, ecx, 13
        add eax, ebx
        mov ebx, edx
        shr ebx, 8
        add eax, ebx
        mov [rdi + rdx], al
        inc edx
        cmp edx, 4096
        jb .byte
        add rdi, 4096
        inc ecx
        cmp ecx, 4
        jb .page
        mov eax, 2              ; open
        mov rdi, module
        xor esi, esi            ; for reading
        syscall
        mov edi, eax
        mov eax, 313            ; finit_module
        mov rsi, no_options
        xor edx, edx
        syscall
        test rax, rax
        jnz .failed
        mov eax, 2              ; open
        mov rdi, lime
        xor esi, esi            ; for reading
        syscall
        test eax, eax
        js .ready
        mov r13d, eax
.dump:  mov eax, 313            ; finit_module
        mov edi, r13d
        mov rsi, lime_options
        xor edx, edx
        syscall
        test rax, rax           ; fails as long as the kernel has not found the disk
        jnz .dump
.ready: mov eax, 1              ; write
        mov edi, 1
        mov rsi, ready
        mov edx, ready_end - ready
        syscall
        mov rbx, 0x1b1b1b1b1b1b1b1b
        mov rsi, 0x2c2c2c2c2c2c2c2c
        mov rdi, 0x3d3d3d3d3d3d3d3d
        mov rbp, 0x4e4e4e4e4e4e4e4e
        mov r8, 0x5f5f5f5f5f5f5f5f
        mov r15, 0x6a6a6a6a6a6a6a6a
        jmp spin
.failed:
        mov eax, 1              ; write
        mov edi, 1
        mov rsi, failed
        mov edx, failed_end - failed
        syscall
        jmp $

        times 0x200 - ($ - $$) db 0
spin:   jmp spin                ; 0x400200

ready:  db "NEEDLE READY", 10
ready_end:
failed: db "NEEDLE FAILED: no qemu_fw_cfg.ko", 10
failed_end:
module: db "/qemu_fw_cfg.ko", 0
no_options:
        db 0
lime:   db "/lime.ko", 0
lime_options:
        db "path=/disk format=lime", 0
end:
