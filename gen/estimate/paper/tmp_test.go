package paper
import ("testing";"fmt";"ohmloom/gen/config";"ohmloom/gen/arch")
func TestTmp(t *testing.T){
 tech := config.LibraryTechnology("45nm")
 for _,m:=range config.Models(){ if m.Published==nil{continue}
  for _,l:=range []int{128,4096}{
   p:=Compute(PIM,m,l,Corrections{}); r,err:=Ohmloom(OhmloomSpread,m,l,Corrections{},tech); if err!=nil{t.Fatal(err)}
   c,_:=Ohmloom(OhmloomColumn,m,l,Corrections{},tech)
   fmt.Printf("%s %d PIM %.2f spread %.2f x%.2f column %.2f  J %.4f mJ vs %.4f\n",m.Title,l,p.TokensPerSecond.Value,r.TokensPerSecond.Value,r.TokensPerSecond.Value/p.TokensPerSecond.Value,c.TokensPerSecond.Value,r.JoulesPerToken.Value*1e3,p.JoulesPerToken.Value*1e3)
   if m.Name=="llama-7b"{ for _,b:=range r.Bounds{fmt.Println("  ",b.Kind,b.Bound,b.Cycles.Value/32,b.Limit.Value/32)}; for _,q:=range r.Parts{ j:=0.0; if q.Joules!=nil{j=q.Joules.Value*1e3}; c:=0.0; if q.Cycles!=nil{c=q.Cycles.Value/32}; fmt.Printf("     %s %s %.0f %.4f\n",q.Kind,q.Part,c,j)} }
  }}
 _ = arch.Column
}
