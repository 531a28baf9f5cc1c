package dev.guestcore.linux;

import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Tables of functions of the kernel itself, which programs reach by way of files and sockets, and which rootkits like to change: each
 * pointer must lead to the start of a function of the kernel. Declared in {@code fs/}, {@code mm/shmem.c}, {@code net/},
 * {@code drivers/char/mem.c} and {@code random.c}, {@code drivers/tty/} of Linux.
 */
final class FunctionTableCheck implements KernelCheck.Part {

    private static final Map<String, List<String>> TABLES = new LinkedHashMap<>();

    static {
        TABLES.put("struct file_operations", List.of("socket_file_ops", "pipefifo_fops", "def_blk_fops", "null_fops",
                "zero_fops",
                "full_fops", "random_fops", "urandom_fops", "tty_fops", "kmsg_fops", "kernfs_file_fops",
                "kernfs_dir_fops",
                "shmem_file_operations", "ramfs_file_operations", "simple_dir_operations", "ext4_file_operations",
                "ext4_dir_operations", "proc_root_operations", "proc_reg_file_ops", "proc_dir_operations",
                "proc_tgid_base_operations", "proc_pid_maps_operations", "proc_sys_file_operations", "eventpoll_fops"));
        TABLES.put("struct inode_operations", List.of("proc_root_inode_operations", "proc_dir_inode_operations",
                "proc_tgid_base_inode_operations", "shmem_dir_inode_operations", "ramfs_dir_inode_operations",
                "kernfs_dir_iops", "ext4_dir_inode_operations", "ext4_file_inode_operations"));
        TABLES.put("struct seq_operations",
                List.of("tcp4_seq_ops", "tcp6_seq_ops", "udp_seq_ops", "udp6_seq_ops", "raw_seq_ops",
                        "raw6_seq_ops", "unix_seq_ops", "packet_seq_ops", "netlink_seq_ops", "modules_op", "mounts_op",
                        "kallsyms_op",
                        "proc_pid_maps_op", "cpuinfo_op", "vmalloc_op"));
        TABLES.put("struct proc_ops",
                List.of("kmsg_proc_ops", "modules_proc_ops", "kallsyms_proc_ops", "cpuinfo_proc_ops",
                        "stat_proc_ops"));
        TABLES.put("struct proto", List.of("tcp_prot", "tcpv6_prot", "udp_prot", "udpv6_prot", "raw_prot", "rawv6_prot",
                "ping_prot", "unix_stream_proto", "unix_dgram_proto", "packet_proto", "netlink_proto"));
        TABLES.put("struct proto_ops",
                List.of("inet_stream_ops", "inet_dgram_ops", "inet6_stream_ops", "inet6_dgram_ops",
                        "unix_stream_ops", "unix_dgram_ops", "unix_seqpacket_ops", "packet_ops", "netlink_ops"));
        TABLES.put("struct super_operations", List.of("proc_sops", "shmem_ops", "ramfs_ops", "kernfs_sops", "ext4_sops",
                "sockfs_ops", "simple_super_operations"));
        TABLES.put("struct tty_ldisc_ops", List.of("n_tty_ops"));
        TABLES.put("struct inet_connection_sock_af_ops", List.of("ipv4_specific", "ipv6_specific"));
    }

    private final Linux linux;

    FunctionTableCheck(Linux linux) {
        this.linux = linux;
    }

    @Override
    public void look(KernelCheck.Told told) {
        KernelText text = new KernelText(linux);
        int[] looked = {0};
        TABLES.forEach((type, names) -> {
            List<KernelMember> members =
                    linux.requireTypes().find(type).map(FunctionTableCheck::functions).orElse(List.of());
            for (String name : members.isEmpty() ? List.<String>of() : names) {
                List<Symbol> symbols = linux.symbols().findAll(name);
                if (symbols.size() == 1 && symbols.getFirst().module().isEmpty() && !symbols.getFirst().isCode()) {
                    look(text, linux.object(type, symbols.getFirst().address()), name, members, told);
                    looked[0]++;
                }
            }
        });
        if (looked[0] == 0) {
            throw new LinuxException("this kernel names none of those that are known");
        }
    }

    /** Members that point to functions. */
    private static List<KernelMember> functions(KernelType type) {
        List<KernelMember> functions = new ArrayList<>();
        for (KernelMember member : type.members()) {
            KernelType plain = member.type().resolved();
            boolean pointer = plain.kind() == KernelType.Kind.POINTER;
            if (pointer && plain.target().orElseThrow().resolved().kind() == KernelType.Kind.FUNCTION) {
                functions.add(member);
            }
        }
        return functions;
    }

    private void look(
            KernelText text, KernelObject table, String name, List<KernelMember> members, KernelCheck.Told told) {
        for (KernelMember member : members) {
            KernelObject pointer = table.at(member);
            long address = pointer.asLong();
            Optional<Symbol> function = text.contains(address) ? text.functionAt(address) : Optional.empty();
            if (address != 0 && function.isEmpty()) {
                told.found(CheckFinding.tampering(
                        "function-pointer",
                        "'" + member.name() + "' of " + name + " does not lead to a function of the kernel",
                        pointer.address(),
                        "the start of a function of the kernel",
                        text.name(address)));
            }
        }
    }
}
