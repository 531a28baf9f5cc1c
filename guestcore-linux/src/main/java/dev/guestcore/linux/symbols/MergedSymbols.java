package dev.guestcore.linux.symbols;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.Supplier;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/**
 * The symbols of the kernel and of its modules. Those of modules are asked for when they are needed first. Safe for use by
 * several threads at once.
 */
public final class MergedSymbols implements KernelSymbols {

    private static final Comparator<Symbol> BY_ADDRESS = Comparator.comparing(Symbol::address, Long::compareUnsigned);

    private final KernelSymbols kernel;
    private final Supplier<KernelSymbols> modules;

    /**
     * Puts them together.
     *
     * @param kernel of the kernel itself
     * @param modules gives those of modules, always the same
     */
    public MergedSymbols(KernelSymbols kernel, Supplier<KernelSymbols> modules) {
        this.kernel = kernel;
        this.modules = modules;
    }

    @Override
    public int size() {
        return kernel.size() + modules.get().size();
    }

    @Override
    public Stream<Symbol> stream() {
        Iterator<Symbol> merged = new Merge(kernel.stream().iterator(), modules.get().stream().iterator());
        return StreamSupport.stream(
                Spliterators.spliterator(merged, size(), Spliterator.ORDERED | Spliterator.NONNULL), false);
    }

    @Override
    public Optional<Symbol> find(String name) {
        return kernel.find(name).or(() -> modules.get().find(name));
    }

    @Override
    public List<Symbol> findAll(String name) {
        List<Symbol> all = new ArrayList<>(kernel.findAll(name));
        all.addAll(modules.get().findAll(name));
        all.sort(BY_ADDRESS);
        return all;
    }

    @Override
    public Optional<SymbolOffset> at(long address) {
        return kernel.at(address).or(() -> modules.get().at(address));
    }

    /** Two sorted sequences as one. */
    private static final class Merge implements Iterator<Symbol> {

        private final Iterator<Symbol> left;
        private final Iterator<Symbol> right;
        private @Nullable Symbol nextLeft;
        private @Nullable Symbol nextRight;

        Merge(Iterator<Symbol> left, Iterator<Symbol> right) {
            this.left = left;
            this.right = right;
            this.nextLeft = next(left);
            this.nextRight = next(right);
        }

        private static @Nullable Symbol next(Iterator<Symbol> from) {
            return from.hasNext() ? from.next() : null;
        }

        @Override
        public boolean hasNext() {
            return nextLeft != null || nextRight != null;
        }

        @Override
        public Symbol next() {
            Symbol one = nextLeft;
            Symbol other = nextRight;
            if (one != null && (other == null || BY_ADDRESS.compare(one, other) <= 0)) {
                nextLeft = next(left);
                return one;
            }
            if (other == null) {
                throw new NoSuchElementException();
            }
            nextRight = next(right);
            return other;
        }
    }
}
