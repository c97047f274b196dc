"""A finder for hisf that lets SoFiA 2 do the search, as a program of its own, and takes over its mask."""

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from hisf.api import Box, Finder, InputError, Kind, Parameter, hookimpl

CARDS = ("BUNIT", "BMAJ", "BMIN", "BPA", *(f"{key}{n}" for key in ("CTYPE", "CRVAL", "CRPIX", "CDELT") for n in "123"))
NOTHING_FOUND = 8  # exit code
UNUSED = (
    "CatASCII",
    "CatXML",
    "CatSQL",
    "Moments",
    "Cubelets",
    "Filtered",
    "Noise",
    "PV",
    "Mask2d",
    "RawMask",
)  # products that nobody needs


class Sofia(Finder):
    """Write the cube as hisf has preconditioned it, run SoFiA on it once, and detect what its mask holds."""

    name = "sofia"
    reads_tiles = False
    parameters = (
        Parameter("sofia.binary", Kind.TEXT, "sofia", "Name or path of the SoFiA 2 program.", "sofia 0.1"),
        Parameter("sofia.parfile", Kind.PATH, "", "Its parameter file; empty means its defaults.", "sofia 0.1"),
    )

    def look(self, voxels, workspace, advance):
        """Run SoFiA on the whole cube; its mask is kept as a list of voxels."""
        with tempfile.TemporaryDirectory(prefix="hisf-sofia-") as folder:
            self._write(voxels, Path(folder, "cube.fits"), advance)
            self._run(folder)
            self.found = _detected(Path(folder, "cube_mask.fits"))

    def passes(self):
        """Return how often `look` reads the cube."""
        return 1

    def find(self, tile):
        """Return the mask of a tile."""
        mask = np.zeros(tile.box.shape, bool)
        _, ny, nx = self.cube.shape
        first, last = np.searchsorted(self.found, (tile.box.z0 * ny * nx, tile.box.z1 * ny * nx))
        z, y, x = np.unravel_index(self.found[first:last], self.cube.shape)
        b = tile.box
        inside = (y >= b.y0) & (y < b.y1) & (x >= b.x0) & (x < b.x1)
        mask[z[inside] - b.z0, y[inside] - b.y0, x[inside] - b.x0] = True
        return mask

    def _write(self, voxels, path, advance):
        """Write the cube channel by channel."""
        from astropy.io import fits

        nz, ny, nx = voxels.shape
        header = fits.Header([("SIMPLE", True), ("BITPIX", -8 * voxels.dtype.itemsize), ("NAXIS", 3)])
        header.update({"NAXIS1": nx, "NAXIS2": ny, "NAXIS3": nz})
        header.update({key: self.cube.header[key] for key in CARDS if key in self.cube.header})
        stream = fits.StreamingHDU(path, header)
        try:
            for z in range(nz):
                stream.write(np.array(voxels.read(Box(z, z + 1, 0, ny, 0, nx))[0]))
                advance(ny * nx)
        finally:
            stream.close()

    def _run(self, folder):
        """Run the program; its products stay in a folder that will be removed."""
        parfile = [str(Path(self.settings["sofia.parfile"]).resolve())] if self.settings["sofia.parfile"] else []
        given = [
            f"input.data={folder}/cube.fits", "input.region=", f"output.directory={folder}", "output.filename=cube",
            *(f"output.write{product}=false" for product in UNUSED),
            "output.writeMask=true", "parameter.enable=false", "pipeline.pedantic=false",
        ]  # fmt: skip
        program = self.settings["sofia.binary"]
        try:
            command = [program, *parfile, *given]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, cwd=folder)
        except OSError as error:
            raise InputError(f"sofia.binary = {program} cannot be run: {error.strerror}.") from None
        if done.returncode not in (0, NOTHING_FOUND):
            last = next(reversed(done.stderr.strip().splitlines()), "it says nothing")
            raise InputError(f"{program} ended with exit code {done.returncode}: {last.strip().rstrip('.')}.")


def _detected(path):
    """Return the raster indices of the voxels of a mask, ascending; none where there is no file."""
    from astropy.io import fits

    return np.flatnonzero(fits.getdata(path)) if path.exists() else np.empty(0, np.int64)


@hookimpl
def hisf_register_finders():
    """Offer the finder to hisf."""
    return [Sofia]
