package dev.guestcore.store.http;

import dev.guestcore.error.SourceException;
import dev.guestcore.file.ByteStore;
import dev.guestcore.file.Locations;
import dev.guestcore.file.RandomAccessBytes;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.List;

/** {@code https://HOST/PATH}: a file on a server that gives ranges, such as one that an object store has signed. */
public final class HttpStore implements ByteStore {

    /** Creates the store; for {@link java.util.ServiceLoader}. */
    public HttpStore() {}

    @Override
    public List<String> schemes() {
        return List.of("https", "http");
    }

    @Override
    public String help() {
        return "https://HOST/PATH  a core file on a server that gives ranges, read where needed; presigned addresses too";
    }

    @Override
    public RandomAccessBytes open(String address) {
        return HttpBytes.open(uri(address), Locations.printable(address), Patience.USUAL);
    }

    private static URI uri(String address) {
        String name = Locations.printable(address);
        URI uri;
        try {
            uri = new URI(address);
        } catch (URISyntaxException e) {
            throw new SourceException(name + ": is not an address: " + e.getReason()
                    + "; write spaces and other special characters as %20 and so on");
        }
        if (uri.getHost() == null) {
            throw new SourceException(name + ": names no server; an address looks like https://host/path/vm.core");
        }
        if (uri.getRawUserInfo() != null) {
            throw new SourceException(
                    name + ": a name and password in an address are not sent; use a presigned address");
        }
        if (uri.getRawFragment() != null) {
            throw new SourceException(name + ": '#' has no meaning in the address of a file; write it as %23");
        }
        return uri;
    }
}
