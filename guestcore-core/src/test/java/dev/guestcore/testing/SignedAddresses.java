package dev.guestcore.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeModel;
import java.lang.classfile.FieldModel;
import java.lang.classfile.Instruction;
import java.lang.classfile.Label;
import java.lang.classfile.MethodModel;
import java.lang.classfile.Opcode;
import java.lang.classfile.TypeKind;
import java.lang.classfile.constantpool.MethodHandleEntry;
import java.lang.classfile.instruction.ArrayLoadInstruction;
import java.lang.classfile.instruction.ArrayStoreInstruction;
import java.lang.classfile.instruction.BranchInstruction;
import java.lang.classfile.instruction.ConstantInstruction;
import java.lang.classfile.instruction.ConvertInstruction;
import java.lang.classfile.instruction.ExceptionCatch;
import java.lang.classfile.instruction.FieldInstruction;
import java.lang.classfile.instruction.InvokeDynamicInstruction;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.classfile.instruction.LabelTarget;
import java.lang.classfile.instruction.LineNumber;
import java.lang.classfile.instruction.LoadInstruction;
import java.lang.classfile.instruction.LocalVariable;
import java.lang.classfile.instruction.LookupSwitchInstruction;
import java.lang.classfile.instruction.NewMultiArrayInstruction;
import java.lang.classfile.instruction.OperatorInstruction;
import java.lang.classfile.instruction.ReturnInstruction;
import java.lang.classfile.instruction.StackInstruction;
import java.lang.classfile.instruction.StoreInstruction;
import java.lang.classfile.instruction.TableSwitchInstruction;
import java.lang.classfile.instruction.ThrowInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDesc;
import java.lang.constant.MethodTypeDesc;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Finds comparisons that take guest addresses for signed numbers, in class files. An address is what is called one (a
 * variable, field, method or accessor, see {@link #NAMES} and {@link #ACCESSORS}), and what is computed of one: the sum of
 * an address and anything, an address with its lowest bits cleared. It may be compared by {@code ==}, {@code !=} and
 * {@code Long.compareUnsigned} only. The difference of two addresses is a number that may be compared, but not with zero:
 * that is how one asks which of the two is higher.
 */
public final class SignedAddresses {

    /** Names that say that a long is an address. */
    private static final Pattern NAMES = Pattern.compile(
            "(.*[aA]ddress(First|Last)?|virtual(First|Last|Start|End)?|physical(First|Last|Start|End)?|gpa|gva|rip|cr3"
                    + "|firstAddress|lastAddress|pageStart|nextPage|symbol|rootTable)");

    /** Methods whose result is an address though their name alone would not say so: class and method. */
    private static final Set<String> ACCESSORS = Set.of(
            "PhysicalAddress.value", "AddressRange.first", "AddressRange.last", "Extents.first", "Extents.last",
            "VmcoreInfoFields.symbol");

    private static final String OURS = "dev/guestcore/";

    private enum Tag {
        NUMBER,
        ZERO,
        ADDRESS,
        DIFFERENCE,
        /** A reference to a method that gives an address. */
        ACCESSOR
    }

    private record Value(Tag tag, boolean wide, long constant, boolean isConstant) {
        static Value of(Tag tag, TypeKind kind) {
            return new Value(tag, kind.slotSize() == 2, 0, false);
        }

        static Value of(Tag tag, ClassDesc type) {
            return of(tag, TypeKind.from(type));
        }
    }

    private final List<String> violations = new ArrayList<>();

    private SignedAddresses() {}

    /** What is wrong in all class files below a folder, one line each: class, method, line, what. */
    public static List<String> in(Path classes) throws IOException {
        SignedAddresses check = new SignedAddresses();
        try (Stream<Path> files = Files.walk(classes)) {
            files.filter(file -> file.toString().endsWith(".class")).sorted().forEach(file -> {
                try {
                    check.look(ClassFile.of().parse(file));
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
        return check.violations;
    }

    /** The same of one class. */
    public static List<String> in(byte[] classFile) {
        SignedAddresses check = new SignedAddresses();
        check.look(ClassFile.of().parse(classFile));
        return check.violations;
    }

    private void look(ClassModel model) {
        String name = model.thisClass().asInternalName();
        String simple = name.substring(name.lastIndexOf('/') + 1);
        for (FieldModel field : model.fields()) {
            field.findAttribute(Attributes.signature()).ifPresent(signature -> {
                if (isSortedByLong(signature.signature().stringValue())) {
                    violations.add(simple + "." + field.fieldName().stringValue()
                            + ": a sorted map or set of Long has signed order; compare by Long::compareUnsigned");
                }
            });
        }
        for (MethodModel method : model.methods()) {
            method.code().ifPresent(code -> new Walk(simple, method, code).run());
        }
    }

    private static boolean isSortedByLong(String signature) {
        return signature.matches("Ljava/util/(TreeMap|TreeSet|SortedMap|NavigableMap|PriorityQueue"
                + "|concurrent/ConcurrentSkipListMap)<Ljava/lang/Long;.*");
    }

    private static boolean isAddress(String owner, String name, ClassDesc type) {
        boolean isLong = type.descriptorString().equals("J") || type.descriptorString().equals("Ljava/lang/Long;");
        String simple = owner.substring(Math.max(owner.lastIndexOf('/'), owner.lastIndexOf('$')) + 1);
        boolean known = owner.startsWith(OURS)
                && (ACCESSORS.contains(simple + "." + name)
                        || NAMES.matcher(name).matches());
        return known && isLong;
    }

    /** One method from its first instruction to its last; what a loop carries back is not followed. */
    private final class Walk {

        private final String where;
        private final CodeModel code;
        private final List<CodeElement> elements;
        private final Map<Label, List<Value>> waiting = new HashMap<>();
        private final Map<Integer, Value> locals = new HashMap<>();
        private final Map<Label, List<LocalVariable>> opening = new HashMap<>();
        private final Map<Integer, String> names = new HashMap<>();
        private final Set<Label> handlers = new HashSet<>();
        private List<Value> stack = new ArrayList<>();
        private int line;

        Walk(String owner, MethodModel method, CodeModel code) {
            this.where = owner + "." + method.methodName().stringValue();
            this.code = code;
            this.elements = code.elementList();
        }

        void run() {
            for (CodeElement element : elements) {
                if (element instanceof LocalVariable variable && variable.typeSymbol().descriptorString().equals("J")) {
                    opening.computeIfAbsent(variable.startScope(), label -> new ArrayList<>()).add(variable);
                    opening.computeIfAbsent(variable.endScope(), label -> new ArrayList<>()).add(variable);
                }
                if (element instanceof ExceptionCatch handler) {
                    handlers.add(handler.handler());
                }
            }
            for (int i = 0; i < elements.size(); i++) {
                switch (elements.get(i)) {
                    case LineNumber number -> line = number.line();
                    case LabelTarget target -> reach(target.label());
                    case Instruction instruction -> step(instruction, i);
                    default -> {
                        // says nothing about values
                    }
                }
            }
        }

        private void reach(Label label) {
            if (handlers.contains(label)) {
                stack = new ArrayList<>(List.of(Value.of(Tag.NUMBER, TypeKind.REFERENCE)));
            } else if (waiting.containsKey(label)) {
                stack = new ArrayList<>(waiting.get(label));
            }
            for (LocalVariable variable : opening.getOrDefault(label, List.of())) {
                if (variable.startScope().equals(label)) {
                    names.put(variable.slot(), variable.name().stringValue());
                } else {
                    names.remove(variable.slot());
                }
            }
        }

        private Value pop() {
            return stack.isEmpty() ? Value.of(Tag.NUMBER, TypeKind.REFERENCE) : stack.removeLast();
        }

        private void push(Tag tag, TypeKind kind) {
            if (kind != TypeKind.VOID) {
                stack.add(Value.of(tag, kind));
            }
        }

        private void wrong(String what) {
            violations.add(where + ":" + line + ": " + what);
        }

        private void step(Instruction instruction, int index) {
            switch (instruction) {
                case ConstantInstruction constant -> {
                    ConstantDesc value = constant.constantValue();
                    long number = value instanceof Number some ? some.longValue() : 0;
                    boolean known = value instanceof Long || value instanceof Integer;
                    Tag tag = known && number == 0 ? Tag.ZERO : Tag.NUMBER;
                    stack.add(new Value(tag, constant.typeKind().slotSize() == 2, number, known));
                }
                case LoadInstruction load -> load(load);
                case StoreInstruction store -> locals.put(store.slot(), pop());
                case ArrayLoadInstruction load -> {
                    pop();
                    pop();
                    push(Tag.NUMBER, load.typeKind());
                }
                case ArrayStoreInstruction store -> {
                    pop();
                    pop();
                    pop();
                }
                case FieldInstruction field -> field(field);
                case InvokeInstruction invoke -> invoke(invoke);
                case InvokeDynamicInstruction dynamic -> dynamic(dynamic);
                case OperatorInstruction operator -> operate(operator, index);
                case ConvertInstruction convert -> {
                    Value from = pop();
                    Tag tag = convert.toType() == TypeKind.LONG || from.tag() == Tag.ZERO ? from.tag() : Tag.NUMBER;
                    stack.add(new Value(tag, convert.toType().slotSize() == 2, from.constant(), from.isConstant()));
                }
                case StackInstruction shuffle -> shuffle(shuffle.opcode());
                case BranchInstruction branch -> branch(branch);
                case TableSwitchInstruction ignored -> pop();
                case LookupSwitchInstruction ignored -> pop();
                case ReturnInstruction ignored -> stack = new ArrayList<>();
                case ThrowInstruction ignored -> stack = new ArrayList<>();
                case NewMultiArrayInstruction array -> {
                    for (int i = 0; i < array.dimensions(); i++) {
                        pop();
                    }
                    push(Tag.NUMBER, TypeKind.REFERENCE);
                }
                default -> simple(instruction.opcode());
            }
        }

        private void simple(Opcode opcode) {
            switch (opcode) {
                case NEW -> push(Tag.NUMBER, TypeKind.REFERENCE);
                case NEWARRAY, ANEWARRAY, INSTANCEOF, ARRAYLENGTH -> {
                    pop();
                    push(Tag.NUMBER, TypeKind.REFERENCE);
                }
                case MONITORENTER, MONITOREXIT -> pop();
                default -> {
                    // CHECKCAST, IINC, NOP leave the stack as it is
                }
            }
        }

        private void load(LoadInstruction load) {
            String name = names.getOrDefault(load.slot(), "");
            boolean named = load.typeKind() == TypeKind.LONG && NAMES.matcher(name).matches();
            Value stored = locals.get(load.slot());
            Tag tag = named ? Tag.ADDRESS : stored == null ? Tag.NUMBER : stored.tag();
            push(tag, load.typeKind());
        }

        private void field(FieldInstruction field) {
            TypeKind kind = TypeKind.from(field.typeSymbol());
            boolean isStatic = field.opcode() == Opcode.GETSTATIC || field.opcode() == Opcode.PUTSTATIC;
            boolean puts = field.opcode() == Opcode.PUTFIELD || field.opcode() == Opcode.PUTSTATIC;
            if (puts) {
                pop();
            }
            if (!isStatic) {
                pop();
            }
            if (!puts) {
                boolean address = field.typeSymbol().descriptorString().equals("J")
                        && (NAMES.matcher(field.name().stringValue()).matches()
                                || isAddress(field.owner().asInternalName(), field.name().stringValue(),
                                        field.typeSymbol()));
                push(address ? Tag.ADDRESS : Tag.NUMBER, kind);
            }
        }

        private void invoke(InvokeInstruction invoke) {
            MethodTypeDesc type = invoke.typeSymbol();
            List<Value> arguments = new ArrayList<>();
            for (int i = 0; i < type.parameterCount(); i++) {
                arguments.addFirst(pop());
            }
            Tag receiver = invoke.opcode() == Opcode.INVOKESTATIC ? Tag.NUMBER : pop().tag();
            String owner = invoke.owner().asInternalName();
            String call = owner.substring(owner.lastIndexOf('/') + 1) + "." + invoke.name().stringValue();
            boolean hasAddress = arguments.stream().anyMatch(value -> value.tag() == Tag.ADDRESS);
            boolean hasAccessor = arguments.stream().anyMatch(value -> value.tag() == Tag.ACCESSOR);
            switch (call) {
                case "Long.compare", "Long.max", "Long.min", "Long.signum", "Math.max", "Math.min", "Math.clamp",
                        "Math.abs" -> {
                    if (hasAddress) {
                        wrong(call + " takes an address for a signed number");
                    }
                }
                case "Comparator.comparingLong", "Comparator.thenComparingLong", "Comparator.comparing",
                        "Comparator.thenComparing" -> {
                    boolean stated = type.parameterCount() == 2 || type.parameterList().stream()
                            .anyMatch(one -> one.descriptorString().equals("Ljava/util/Comparator;"));
                    if (hasAccessor && !stated) {
                        wrong(call + " sorts addresses as signed numbers");
                    }
                }
                case "LongStream.max", "LongStream.min", "LongStream.sorted" -> {
                    if (receiver == Tag.ACCESSOR) {
                        wrong(call + " has signed order only");
                    }
                }
                default -> {
                    // anything else may have addresses
                }
            }
            Tag tag = call.equals("Long.valueOf") || call.equals("Long.longValue")
                    || call.equals("OptionalLong.getAsLong")
                    || call.equals("OptionalLong.orElseThrow")
                            ? arguments.isEmpty() ? Tag.NUMBER : arguments.getFirst().tag()
                            : isAddress(owner, invoke.name().stringValue(), type.returnType()) ? Tag.ADDRESS
                                    : Tag.NUMBER;
            boolean streams = type.returnType().descriptorString().equals("Ljava/util/stream/LongStream;");
            boolean ofAddresses = hasAccessor
                    || receiver == Tag.ACCESSOR
                    || invoke.name().stringValue().matches("symbols|addresses");
            push(streams && ofAddresses ? Tag.ACCESSOR : tag, TypeKind.from(type.returnType()));
        }

        private void dynamic(InvokeDynamicInstruction dynamic) {
            MethodTypeDesc type = dynamic.typeSymbol();
            for (int i = 0; i < type.parameterCount(); i++) {
                pop();
            }
            boolean accessor = dynamic.invokedynamic().bootstrap().arguments().stream()
                    .filter(MethodHandleEntry.class::isInstance)
                    .map(argument -> ((MethodHandleEntry) argument).reference())
                    .anyMatch(reference -> reference.type().stringValue().endsWith("J")
                            && isAddress(
                                    reference.owner().asInternalName(),
                                    reference.name().stringValue(),
                                    ClassDesc.ofDescriptor("J")));
            push(accessor ? Tag.ACCESSOR : Tag.NUMBER, TypeKind.from(type.returnType()));
        }

        private void operate(OperatorInstruction operator, int index) {
            Opcode opcode = operator.opcode();
            switch (opcode) {
                case INEG, LNEG, FNEG, DNEG -> {
                    pop();
                    push(Tag.NUMBER, operator.typeKind());
                }
                case ARRAYLENGTH -> {
                    pop();
                    push(Tag.NUMBER, TypeKind.INT);
                }
                case LCMP -> {
                    Value right = pop();
                    Value left = pop();
                    compare(left, right, index);
                    push(Tag.NUMBER, TypeKind.INT);
                }
                case FCMPL, FCMPG, DCMPL, DCMPG -> {
                    pop();
                    pop();
                    push(Tag.NUMBER, TypeKind.INT);
                }
                default -> {
                    Value right = pop();
                    Value left = pop();
                    push(computed(opcode, left, right), operator.typeKind());
                }
            }
        }

        private static Tag computed(Opcode opcode, Value left, Value right) {
            boolean leftAddress = left.tag() == Tag.ADDRESS;
            boolean rightAddress = right.tag() == Tag.ADDRESS;
            return switch (opcode) {
                case LADD -> leftAddress || rightAddress ? Tag.ADDRESS : Tag.NUMBER;
                case LSUB -> leftAddress
                        ? rightAddress ? Tag.DIFFERENCE : Tag.ADDRESS
                        : Tag.NUMBER;
                case LOR -> leftAddress || rightAddress ? Tag.ADDRESS : Tag.NUMBER;
                case LAND -> leftAddress && right.isConstant() && right.constant() < 0 ? Tag.ADDRESS : Tag.NUMBER;
                default -> Tag.NUMBER;
            };
        }

        private void compare(Value left, Value right, int index) {
            Opcode next = null;
            for (int i = index + 1; i < elements.size() && next == null; i++) {
                if (elements.get(i) instanceof Instruction instruction) {
                    next = instruction.opcode();
                }
            }
            if (next == Opcode.IFEQ || next == Opcode.IFNE) {
                return;
            }
            if (left.tag() == Tag.ADDRESS || right.tag() == Tag.ADDRESS) {
                wrong("an address is compared as a signed number");
            } else if (left.tag() == Tag.DIFFERENCE && right.tag() == Tag.ZERO
                    || left.tag() == Tag.ZERO && right.tag() == Tag.DIFFERENCE) {
                wrong("which of two addresses is higher is asked by the sign of their difference");
            }
        }

        private void branch(BranchInstruction branch) {
            switch (branch.opcode()) {
                case GOTO, GOTO_W -> {
                    waiting.putIfAbsent(branch.target(), List.copyOf(stack));
                    stack = new ArrayList<>();
                }
                case IFEQ, IFNE, IFLT, IFGE, IFGT, IFLE, IFNULL, IFNONNULL -> {
                    pop();
                    waiting.putIfAbsent(branch.target(), List.copyOf(stack));
                }
                default -> {
                    pop();
                    pop();
                    waiting.putIfAbsent(branch.target(), List.copyOf(stack));
                }
            }
        }

        private void shuffle(Opcode opcode) {
            switch (opcode) {
                case POP -> pop();
                case POP2 -> {
                    if (!pop().wide()) {
                        pop();
                    }
                }
                case SWAP -> {
                    Value top = pop();
                    Value below = pop();
                    stack.add(top);
                    stack.add(below);
                }
                case DUP -> insert(1, 0);
                case DUP_X1 -> insert(1, 1);
                case DUP_X2 -> insert(1, 2);
                case DUP2 -> insert(2, 0);
                case DUP2_X1 -> insert(2, 1);
                case DUP2_X2 -> insert(2, 2);
                default -> throw new IllegalStateException("a stack instruction of no known kind: " + opcode);
            }
        }

        /** Repeats the topmost slots below as many slots more. */
        private void insert(int repeated, int below) {
            List<Value> top = take(repeated);
            List<Value> under = take(below);
            stack.addAll(top);
            stack.addAll(under);
            stack.addAll(top);
        }

        private List<Value> take(int slots) {
            List<Value> taken = new ArrayList<>();
            int left = slots;
            while (left > 0) {
                Value value = pop();
                taken.addFirst(value);
                left -= value.wide() ? 2 : 1;
            }
            return taken;
        }
    }
}
