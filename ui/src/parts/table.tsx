// A table that sorts by its headers, with the keyboard too.
import {
  type ColumnDef, type RowSelectionState, type SortingState, flexRender, getCoreRowModel, getPaginationRowModel, getSortedRowModel,
  useReactTable,
} from "@tanstack/react-table";
import { useState } from "react";

type Props<T> = {
  caption: string;
  rows: T[];
  // Columns of one table have values of different types.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  columns: ColumnDef<T, any>[];
  sort?: SortingState;
  pageSize?: number;
  selection?: { value: RowSelectionState; set: (value: RowSelectionState) => void; id: (row: T) => string };
  empty?: string;
};

export function Table<T>({ caption, rows, columns, sort = [], pageSize = 50, selection, empty = "Nothing fits." }: Props<T>) {
  const [sorting, setSorting] = useState<SortingState>(sort);
  const [pagination, setPagination] = useState({ pageIndex: 0, pageSize });
  const table = useReactTable({
    data: rows,
    columns,
    state: { sorting, pagination, rowSelection: selection?.value ?? {} },
    onSortingChange: setSorting,
    onPaginationChange: setPagination,
    onRowSelectionChange: (update) => {
      if (selection) selection.set(typeof update === "function" ? update(selection.value) : update);
    },
    getRowId: selection ? (row) => selection.id(row) : undefined,
    enableRowSelection: selection !== undefined,
    autoResetPageIndex: false,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
    getPaginationRowModel: getPaginationRowModel(),
  });
  if (rows.length === 0) return <p className="empty">{empty}</p>;
  const pages = table.getPageCount();
  return (
    <>
      <div className="scroll cards" tabIndex={0} role="region" aria-label={caption}>
        <table>
          <caption className="hidden">{caption}</caption>
          <thead>
            {table.getHeaderGroups().map((group) => (
              <tr key={group.id}>
                {group.headers.map((header) => {
                  const sorted = header.column.getIsSorted();
                  const label = flexRender(header.column.columnDef.header, header.getContext());
                  const numeric = header.column.columnDef.meta === "number";
                  return (
                    <th
                      key={header.id}
                      scope="col"
                      className={numeric ? "number" : ""}
                      aria-sort={sorted === "asc" ? "ascending" : sorted === "desc" ? "descending" : undefined}
                    >
                      {header.column.getCanSort() ? (
                        <button type="button" className="sort" onClick={header.column.getToggleSortingHandler()}>
                          {label}
                          <span aria-hidden="true">{sorted === "asc" ? " ↑" : sorted === "desc" ? " ↓" : ""}</span>
                        </button>
                      ) : (
                        label
                      )}
                    </th>
                  );
                })}
              </tr>
            ))}
          </thead>
          <tbody>
            {table.getRowModel().rows.map((row) => (
              <tr key={row.id} className={row.getIsSelected() ? "selected" : ""}>
                {row.getVisibleCells().map((cell) => (
                  <td key={cell.id} data-label={typeof cell.column.columnDef.header === "string" ? cell.column.columnDef.header : undefined} className={cell.column.columnDef.meta === "number" ? "number" : ""}>
                    {flexRender(cell.column.columnDef.cell, cell.getContext())}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {pages > 1 && (
        <nav className="pages" aria-label={`Pages of ${caption}`}>
          <button type="button" disabled={!table.getCanPreviousPage()} onClick={() => table.previousPage()}>Previous</button>
          <span>
            Page {pagination.pageIndex + 1} of {pages}, {rows.length} in all
          </span>
          <button type="button" disabled={!table.getCanNextPage()} onClick={() => table.nextPage()}>Next</button>
        </nav>
      )}
    </>
  );
}

/** The answer of a grouped query as objects by column. */
export function answerRows(answer: { columns: string[]; rows: unknown[][] }): Record<string, unknown>[] {
  return answer.rows.map((row) => Object.fromEntries(answer.columns.map((name, index) => [name, row[index]])));
}
